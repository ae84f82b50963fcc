// Calls each method, and prints what it gets: `node client.js localhost:50051`.

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const file = new URL("route_guide.proto", import.meta.url).pathname;
const { routeguide } = grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true }));
const address = process.argv[2] ?? "localhost:5000";
const guide = new routeguide.RouteGuide(address, grpc.credentials.createInsecure());

const point = (latitude, longitude) => ({ latitude, longitude });
const POINTS = [point(407838351, -746143763), point(408122808, -743999179), point(410000000, -740000000)];

/** The answer of a call that has one: `call(done)` begins it. */
const answer = (call) =>
  new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));

console.log("GetFeature:", (await answer((done) => guide.GetFeature(POINTS[0], done))).name);

const area = { lo: point(400000000, -750000000), hi: point(410000000, -730000000) };
for await (const feature of guide.ListFeatures(area)) console.log("ListFeatures:", feature.name);

const summary = await answer((done) => {
  const call = guide.RecordRoute(done);
  POINTS.forEach((each) => call.write(each));
  call.end();
});
console.log(`RecordRoute: ${summary.point_count} points, ${summary.feature_count} features, ${summary.distance} m`);

const chat = guide.RouteChat();
["first", "second", "third", "fourth"].forEach((message, number) =>
  chat.write({ location: point(0, number % 2), message }),
);
chat.end();
for await (const note of chat) console.log("RouteChat:", note.message);
guide.close();
