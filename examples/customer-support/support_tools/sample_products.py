"""What the shop sells. Names, prices and stock are made up."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """One line of the catalogue. `restock_in` counts days from today; None: no delivery is planned."""

    number: int
    name: str
    category: str
    price: str
    available: int
    description: str
    restock_in: int | None = None
    returnable: bool = True


PRODUCTS = (
    Product(201, "Larkwell Studio over-ear headphones", "audio", "149.00", 34,
            "Wireless headphones with noise cancelling, 40 hours of battery and a folding frame."),
    Product(202, "Larkwell Go on-ear headphones", "audio", "59.90", 0,
            "Light wireless headphones for the commute, 25 hours of battery.", restock_in=6),
    Product(203, "Larkwell Wire headphones", "audio", "39.00", 112,
            "Wired headphones with a 3.5 mm plug and a detachable cable."),
    Product(204, "Pellam Bud in-ear headphones", "audio", "89.00", 61,
            "True wireless in-ear headphones with a charging case; splash proof."),
    Product(205, "Pellam ear tips, set of six", "audio", "9.90", 240,
            "Silicone ear tips in three sizes for the Pellam Bud.", returnable=False),
    Product(206, "Tarnby portable speaker", "audio", "74.50", 18,
            "Waterproof bluetooth speaker, 12 hours of battery, strap included."),
    Product(207, "Tarnby shelf speakers, pair", "audio", "219.00", 7,
            "Powered stereo speakers with bluetooth, optical and line input."),
    Product(208, "Oskari podcast microphone", "audio", "119.00", 0,
            "USB microphone with a table stand and a pop filter.", restock_in=13),
    Product(211, "Brindle K75 keyboard", "office", "98.00", 45,
            "Compact mechanical keyboard, wireless, quiet switches, white backlight."),
    Product(212, "Brindle K100 keyboard", "office", "79.00", 27,
            "Full-size wired keyboard with a number pad and a palm rest."),
    Product(213, "Brindle Glide mouse", "office", "44.90", 83,
            "Wireless mouse for both hands, rechargeable over USB-C."),
    Product(214, "Brindle Upright mouse", "office", "52.00", 3,
            "Vertical wireless mouse that keeps the wrist straight."),
    Product(215, "Norhaven 27 monitor", "office", "329.00", 11,
            "27 inch monitor, 2560 x 1440, height adjustable, USB-C with 65 W."),
    Product(216, "Norhaven 32 monitor", "office", "489.00", 0,
            "32 inch 4K monitor, height adjustable, USB-C with 90 W."),
    Product(217, "Norhaven monitor arm", "office", "89.00", 22,
            "Single arm with a gas spring for monitors up to 9 kg."),
    Product(218, "Quillon webcam", "office", "69.00", 54,
            "1080p webcam with a privacy shutter and two microphones."),
    Product(219, "Quillon laptop stand", "office", "36.50", 71,
            "Folding aluminium stand for laptops of 11 to 16 inches."),
    Product(220, "Hollis desk lamp", "office", "58.00", 39,
            "LED desk lamp with five levels, warm to cold, and a USB port."),
    Product(221, "Hollis floor lamp", "home", "129.00", 9,
            "Dimmable LED floor lamp with a linen shade."),
    Product(222, "Averill task chair", "office", "279.00", 6,
            "Office chair with lumbar support, adjustable arms and a mesh back."),
    Product(223, "Averill foot rest", "office", "34.00", 48,
            "Tilting foot rest with a non-slip surface."),
    Product(231, "Voltry 65 W charger", "power", "39.90", 150,
            "USB-C wall charger with two ports for laptop and phone."),
    Product(232, "Voltry charging stand", "power", "45.00", 66,
            "Wireless charging stand for a phone and a pair of ear buds."),
    Product(233, "Voltry power bank 20", "power", "54.90", 0,
            "20,000 mAh power bank, USB-C, 45 W.", restock_in=3),
    Product(234, "Voltry USB-C cable, 2 m", "power", "14.90", 410,
            "Braided USB-C to USB-C cable, 100 W."),
    Product(235, "Voltry travel adapter", "power", "27.00", 95,
            "Adapter for 150 countries with three USB ports."),
    Product(236, "Voltry surge strip, 6 sockets", "power", "31.00", 58,
            "Power strip with surge protection and a switch."),
    Product(241, "Calder electric kettle", "kitchen", "64.00", 29,
            "1.7 litre kettle with temperature settings and a keep-warm button."),
    Product(242, "Calder coffee grinder", "kitchen", "89.90", 14,
            "Burr grinder with 30 settings, from espresso to french press."),
    Product(243, "Calder filter coffee maker", "kitchen", "112.00", 20,
            "Coffee maker for ten cups with a thermos jug and a timer."),
    Product(244, "Calder toaster, two slices", "kitchen", "49.00", 33,
            "Toaster with a bun rack, a defrost button and a crumb tray."),
    Product(245, "Calder hand blender", "kitchen", "42.00", 0,
            "Hand blender with a whisk and a chopper.", restock_in=9),
    Product(246, "Mossgate kitchen scale", "kitchen", "24.90", 77,
            "Digital scale up to 5 kg in steps of one gram."),
    Product(247, "Mossgate lunch box", "kitchen", "21.50", 132,
            "Steel lunch box with two compartments; leak proof."),
    Product(248, "Mossgate insulated bottle, 0.75 l", "kitchen", "27.90", 188,
            "Steel bottle that keeps drinks cold for 24 or hot for 12 hours."),
    Product(251, "Wend city backpack", "travel", "94.00", 25,
            "20 litre backpack with a padded laptop sleeve and a rain cover."),
    Product(252, "Wend cabin suitcase", "travel", "159.00", 12,
            "Hard cabin suitcase, 38 litres, four wheels, combination lock."),
    Product(253, "Wend cable pouch", "travel", "19.90", 104,
            "Zipped pouch with loops for chargers, cables and cards."),
    Product(254, "Wend luggage scale", "travel", "16.50", 0,
            "Hanging scale for suitcases up to 50 kg."),
    Product(261, "Ilmar robot vacuum", "home", "349.00", 5,
            "Robot vacuum with mapping, 120 minutes of battery and a docking station."),
    Product(262, "Ilmar air purifier", "home", "189.00", 16,
            "HEPA air purifier for rooms up to 40 square metres."),
    Product(263, "Ilmar smart thermostat", "home", "139.00", 8,
            "Thermostat with schedules, app control and energy report."),
    Product(270, "Acme gift card", "gifts", "50.00", 9999,
            "Gift card, sent by e-mail within minutes.", returnable=False),
)  # fmt: skip
