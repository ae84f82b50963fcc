"""An app that is mounted at a gRPC service, with ordinary routes beside the methods."""

import route_guide_pb2
import skitai

from atila import Atila

home = Atila("home")
home.route("/")(lambda was: "ready")
app = Atila(__name__)


@app.route("/")
def index(was):
    return f"index by {was.request.method}"


@app.route("/GetFeature")
def GetFeature(was, point):
    if isinstance(point, route_guide_pb2.Point):
        return route_guide_pb2.Feature(name="by gRPC", location=point)
    return was.API(name="by JSON", location=point)


@app.route("/trips/<int:number>", methods=["GET", "POST"])
def trips(was, number, **data):
    return was.API(number=number, **data)


if __name__ == "__main__":
    skitai.mount("/", home)
    skitai.mount("/routeguide.RouteGuide", app)
    skitai.run(port=5000)
