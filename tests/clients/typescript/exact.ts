// JSON.parse puts numbers through a binary float: 0.1234567890123456789 loses digits. Here a number that a float can't hold keeps its text.
// Either way `String(number)` is the number as it was written.

import { LosslessNumber, isSafeNumber, parse } from "lossless-json";

export type ExactNumber = number | LosslessNumber;

const number = (text: string): ExactNumber => (isSafeNumber(text) && String(Number(text)) === text ? Number(text) : new LosslessNumber(text));

/** For openapi-fetch's option `fetch`: answers are parsed by their digits. */
export async function exactFetch(request: Request): Promise<Response> {
  const response = await fetch(request);
  const text = await response.text();
  const headers = new Headers(response.headers);
  // openapi-fetch asks for json() where it knows a length, and parses by itself where it doesn't.
  if (text !== "") headers.set("Content-Length", String(new TextEncoder().encode(text).length));
  const bodiless = response.status === 204;
  const exact = new Response(bodiless ? null : text, { status: response.status, headers });
  exact.json = async () => parse(text, undefined, { parseNumber: number });
  return exact;
}
