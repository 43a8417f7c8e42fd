// A payout by each API over a running Landfall (URL, TOKEN, KEY, POINT), by nothing but the generated types.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./landfall.js";
import { exactFetch } from "./exact.js";

const environment = (name: string): string => process.env[name] ?? assert.fail(`${name} isn't set`);
const client = (token: string) =>
  createClient<paths>({ baseUrl: environment("URL"), fetch: exactFetch, headers: { Authorization: `Bearer ${token}` } });

function answered<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) assert.fail(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const gateway = client(environment("KEY"));
const headers = { "Content-Type": "application/vnd.api+json" };

async function payout(): Promise<components["schemas"]["PayoutRequestDocument"]> {
  const attributes = { point_id: environment("POINT"), service: "test_usd", service_amount: "12.34", fields: { account: "generated" } };
  const made = answered(
    await gateway.POST("/v1/payout-gateway/payout-requests", { body: { data: { type: "payout-request", attributes } }, headers }),
  );
  const id = made.data.id;
  for (let tries = 0; tries < 300; tries += 1) {
    const now = answered(await gateway.GET("/v1/payout-gateway/payout-requests/{id}", { params: { path: { id } } }));
    if (now.data.attributes.final) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail(`${id} doesn't end`);
}

const paid = await payout();
assert.equal(paid.data.attributes.status, "processed");
assert.equal(paid.data.attributes.processed_amount, "12.34");

// A decimal that no binary float holds: sent as a string, answered as a string.
const many = "1234567890.01234567";
assert.notEqual(String(Number(many)), many);
const credit = { reference_id: `typescript-${crypto.randomUUID()}`, customer_reference_id: "generated", asset: "ETH", amount: many };
const credited = answered(
  await gateway.POST("/v1/wallet/credits", { body: { data: { type: "wallet-credit", attributes: credit } }, headers }),
);
assert.equal(credited.data.attributes.amount, many);

const wallet = client(environment("TOKEN"));
const card = answered(
  await wallet.POST("/v4/payout/card", {
    body: { cardNumber: "4111111111111111", cardHolder: "ALICE EXAMPLE", cardExpirationYear: 2035, cardExpirationMonth: 12 },
  }),
);
const wish = { amount: "123.45678901", fromCurrency: "USDT", toCurrency: "EUR", cardId: card.cardId };
const offer = answered(await wallet.POST("/v4/payout/offer", { body: wish }));
assert.equal(String(offer.amount), wish.amount);
const pay = answered(await wallet.POST("/v4/payout/pay/{offerId}", { params: { path: { offerId: offer.offerId } } }));
assert.equal(pay.status, "SUCCESS");
assert.equal(String(pay.amountFrom), wish.amount);
assert.equal(String(pay.amountTo), String(offer.amountTo));
console.log("typescript: payout done, decimals exact");
