#!/bin/bash
# What the Lambda Web Adapter starts: the application, with the libraries of the layers. Traces are off, since no segment
# is open here that calls of AWS could be part of. The server's own log lines are left to the product's handler, which
# keeps content out of them.
exec env PYTHONPATH="/opt/python:${LAMBDA_RUNTIME_DIR:-}" POWERTOOLS_TRACE_DISABLED=true \
  python3 -m uvicorn app:app --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}" \
  --no-access-log --log-level warning --log-config uvicorn.json --timeout-graceful-shutdown 2
