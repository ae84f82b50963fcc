"""Starts the route guide: `python serve.py`, or `atila serve serve.py --grpc-port 50051`."""

import guide
import skitai

if __name__ == "__main__":
    with skitai.preference() as pref:
        skitai.mount("/routeguide.RouteGuide", guide.app, pref)

    skitai.run(address="127.0.0.1", port=5000, name="route-guide")
