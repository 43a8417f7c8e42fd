// A provider over TLS and HTTP/2 for `landfall bench --scenarios hanging --provider`: answers orders as Adyen does until it is told to hang.
// Takes the files of a key and a certificate; prints its port.
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const [key, certificate] = process.argv.slice(2).map((file) => readFileSync(file));
let hangs = false;
let answered = 0;
const open = new Set();

const balance = { id: "BA00000000000000000000001", status: "active",
    balances: [{ available: 1e12, balance: 1e12, currency: "EUR", pending: 0, reserved: 0 }] };

const booked = (order) => ({
    id: "6JKRLZ8LOT000001", amount: order.amount, balanceAccount: { id: order.balanceAccountId },
    balances: [{ balance: -order.amount.value, currency: "EUR", received: 0, reserved: 0 }], category: "card",
    creationDate: "2026-03-01T13:00:00+01:00", direction: "outgoing", reason: "approved", reference: order.reference,
    sequenceNumber: 3, status: "booked", type: "cardTransfer",
});

const server = createSecureServer({ key, cert: certificate, settings: { maxConcurrentStreams: 10_000 } });
server.on("stream", async (stream, headers) => {
    stream.on("error", () => {});
    const answer = (body) => {
        if (stream.destroyed) return;
        stream.respond({ ":status": 200, "content-type": "application/json" });
        stream.end(JSON.stringify(body));
    };
    const path = headers[":path"];
    if (path.startsWith("/bench/")) {
        if (path === "/bench/hang") hangs = true;
        if (path === "/bench/let-go") {
            hangs = false;
            for (const held of open) held.close();
        }
        return answer({ answered, open: open.size });
    }
    if (headers[":method"] === "GET") return answer(path.startsWith("/bcl/") ? balance : { data: [] });
    let body = "";
    for await (const chunk of stream) body += chunk;
    if (hangs) {
        open.add(stream);
        stream.on("close", () => open.delete(stream));
        return;
    }
    answered += 1;
    answer(booked(JSON.parse(body)));
});
server.on("session", (session) => session.on("error", () => {}));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
