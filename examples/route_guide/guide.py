"""The service: a handler for each method."""

import math
import time

import route_guide_pb2 as pb

from atila import Atila

app = Atila(__name__)

PLACES = {
    (407838351, -746143763): "Patriots Path, Mendham, NJ 07945, USA",
    (408122808, -743999179): "101 New Jersey 10, Whippany, NJ 07981, USA",
    (413628156, -749015468): "U.S. 6, Shohola, PA 18458, USA",
}


@app.route("/GetFeature")
def GetFeature(was, point):
    name = PLACES.get((point.latitude, point.longitude), "")
    return pb.Feature(name=name, location=point)


@app.route("/ListFeatures")
def ListFeatures(was, area):
    for (latitude, longitude), name in PLACES.items():
        inside = area.lo.latitude <= latitude <= area.hi.latitude
        if inside and area.lo.longitude <= longitude <= area.hi.longitude:
            yield pb.Feature(name=name, location=pb.Point(latitude=latitude, longitude=longitude))


@app.route("/RecordRoute")
async def RecordRoute(was, points):
    start, last, summary = time.monotonic(), None, pb.RouteSummary()
    metres = 0.0
    async for point in points:
        summary.point_count += 1
        summary.feature_count += (point.latitude, point.longitude) in PLACES
        metres += distance(last, point) if last else 0
        last = point
    summary.distance = round(metres)
    summary.elapsed_time = round(time.monotonic() - start)
    return summary


@app.route("/RouteChat")
async def RouteChat(was, notes):
    earlier = []
    async for note in notes:
        for each in earlier:
            if each.location == note.location:
                yield each
        earlier.append(note)


def distance(a, b):
    """Between two points, in metres along a sphere (haversine)."""
    lat1, lon1, lat2, lon2 = (
        math.radians(degrees / 1e7)
        for degrees in (a.latitude, a.longitude, b.latitude, b.longitude)
    )
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_000 * math.asin(math.sqrt(half))
