"""Calls each method, and prints what it gets: `python client.py localhost:5000`."""

import sys

import grpc
import route_guide_pb2 as pb
import route_guide_pb2_grpc

POINTS = [(407838351, -746143763), (408122808, -743999179), (410000000, -740000000)]


def point(latitude, longitude):
    return pb.Point(latitude=latitude, longitude=longitude)


def main(address):
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        guide = route_guide_pb2_grpc.RouteGuideStub(channel)

        print("GetFeature:", guide.GetFeature(point(*POINTS[0])).name)

        area = pb.Rectangle(lo=point(400000000, -750000000), hi=point(410000000, -730000000))
        for feature in guide.ListFeatures(area):
            print("ListFeatures:", feature.name)

        summary = guide.RecordRoute(point(*each) for each in POINTS)
        print(
            f"RecordRoute: {summary.point_count} points, {summary.feature_count} features,"
            f" {summary.distance} m"
        )

        notes = [
            pb.RouteNote(location=point(0, number % 2), message=text)
            for number, text in enumerate(("first", "second", "third", "fourth"))
        ]
        for note in guide.RouteChat(iter(notes)):
            print("RouteChat:", note.message)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost:5000")
