// A receiver that believes what the reference verifier takes (standardwebhooks, npm). PUT /settings tells it the secret, by how many seconds its
// clock is moved, and whether to alter what comes; GET /judged answers the id of each message, and why it was refused.
import http from "node:http";
import { Webhook } from "standardwebhooks";

const now = Date.now;
let settings = {};
const judged = [];

async function read(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
}

const server = http.createServer(async (request, response) => {
    const body = await read(request);
    if (request.method === "PUT") {
        settings = JSON.parse(body);
        // The verifier asks the clock by itself.
        Date.now = () => now() + (settings.moved_secs ?? 0) * 1000;
        response.writeHead(204).end();
        return;
    }
    if (request.method === "GET") {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(judged));
        return;
    }
    let refused = null;
    try {
        new Webhook(settings.secret).verify(settings.alter ? body.replace("test_mode", "best_mode") : body, request.headers);
    } catch (error) {
        refused = String(error.message);
    }
    judged.push([request.headers["webhook-id"], refused]);
    response.writeHead(refused === null ? 204 : 400).end();
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
