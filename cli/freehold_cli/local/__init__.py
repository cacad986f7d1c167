"""The local stack: an AWS on this machine, the deployment to it, and its front door."""
