// A Landfall of its own for the browser: the real binary over a database and keys in a folder that is removed, with a few people, and a
// wallet user whose payouts end as their cards say.

import { createHmac } from "node:crypto";
import { spawn, execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const BINARY = process.env.LANDFALL ?? "target/debug/landfall";

// The sandbox pays the first, declines the second, and never answers for the third.
export const CARDS = { good: 4111111111111111n, restricted: 4000000000130205n, silent: 4000000000130601n };
export const CHOSEN = "7 tin boats over gravel";

const settings = (folder) => `
modes = ["test"]
data_dir = ${JSON.stringify(join(folder, "data"))}
[telemetry]
level = "warn"
[http.rate_limits]
sign_in = { per_minute = 6000, burst = 6000 }
[staff]
maker_checker = "always"
[providers.test]
timeout_ms = 50
send_timeout_ms = 5000
settling_time_ms = 200
not_found_confirmations = 1
${["http", "adyen", "tabapay", "worldpay", "checkout"].map((provider) => `[providers.${provider}]\nsend_timeout_ms = 5000`).join("\n")}
[worker]
lease_ms = 11000
[gateway]
sends_max = 1
inquiry_intervals_ms = [300, 300, 1000]
`;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class World {
  static async start() {
    const world = new World();
    world.folder = await mkdtemp(join(tmpdir(), "landfall-browser-"));
    // PostgreSQL doesn't run as root, and enters it.
    await chmod(world.folder, 0o755);
    world.config = join(world.folder, "landfall.toml");
    await writeFile(world.config, settings(world.folder));
    world.url = `http://127.0.0.1:${await freePort()}`;
    const { DATABASE_URL, ...env } = process.env;
    world.env = env;
    const arguments_ = ["--config", world.config, "serve", "--demo", "--listen", world.url.slice("http://".length)];
    world.process = spawn(BINARY, arguments_, { env, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    world.process.stdout.setEncoding("utf8").on("data", (text) => (said += text));
    let over = null;
    world.process.on("exit", (code) => (over = code ?? -1));
    // It prints how to go on once it serves.
    while (!said.includes("Ctrl-C ends it.")) {
      if (over !== null) throw new Error(`landfall ended with ${over}:\n${said}`);
      await sleep(100);
    }
    world.token = /^export TOKEN=(\S+)$/m.exec(said)[1];
    world.key = /^export KEY=(\S+)$/m.exec(said)[1];
    const [, email, password] = /sign in as (\S+) with (\S+)/.exec(said);
    world.admin = { email, password };
    return world;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGINT");
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  async command(...arguments_) {
    const { stdout } = await run(BINARY, ["--config", this.config, ...arguments_], { env: this.env });
    return stdout.trim();
  }

  // An account with a first password, which is changed at the first sign-in.
  async hire(name, role) {
    const email = `${name.toLowerCase()}@landfall.example`;
    const said = await this.command("staff", "add", email, "--name", name, "--role", role, "--by", "tests");
    const password = said.split("\n").map((line) => line.trim()).filter(Boolean).at(-1).split(" ").at(-1);
    return { email, name, password };
  }

  async wallet(method, path, body, more = {}) {
    const headers = { ...more, Authorization: `Bearer ${this.token}`, "X-Sdk-Version": "payoutCard=1.2", "Content-Type": "application/json" };
    // A card's number is a number on the wire, and may be larger than what JavaScript counts exactly.
    const text = body && JSON.stringify(body, (_, value) => (typeof value === "bigint" ? `#${value}#` : value)).replace(/"#(\d+)#"/g, "$1");
    const answer = await fetch(`${this.url}${path}`, { method, headers, body: text });
    const read = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${read}`);
    return read ? JSON.parse(read.replace(/"(offerId|cardId)":\s*(\d{16,})/g, '"$1":"$2"')) : null;
  }

  async fund(amount) {
    await this.command("fund", "--user", "alice", "--asset", "USDT", "--amount", String(amount));
  }

  async card(number) {
    const card = { cardNumber: number, cardHolder: "ALICE EXAMPLE", cardExpirationYear: 2030, cardExpirationMonth: 12 };
    return (await this.wallet("POST", "/v4/payout/card", card)).cardId;
  }

  // An offer, paid; its id and how the payment was answered.
  async pay(cardId, amount) {
    const wish = { amount, fromCurrency: "USDT", toCurrency: "EUR", cardId: BigInt(cardId) };
    const { offerId } = await this.wallet("POST", "/v4/payout/offer", wish);
    const headers = { Prefer: "wait=5" };
    const answer = await this.wallet("POST", `/v4/payout/pay/${offerId}`, undefined, headers);
    return { offerId: String(offerId), status: answer.status };
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// RFC 6238, as the authenticator app on somebody's phone.
export function codeOf(secret, now = Date.now()) {
  const bits = [...secret.replaceAll(/[\s=]/g, "").toUpperCase()]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30000)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
