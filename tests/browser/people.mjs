// Somebody of the staff in a browser of their own: how they get in, and how they find their way.

import assert from "node:assert/strict";
import { CHOSEN, codeOf } from "./world.mjs";

// Follows a link or sends a form, and comes back when the page that this leads to is there whole: a click alone ends while the old page
// still stands or the new one has only begun, and what is asked next is then asked of either.
export async function follow(locator) {
  await Promise.all([locator.page().waitForEvent("load"), locator.click()]);
}

export class Person {
  constructor(page, { email, name, password }) {
    Object.assign(this, { page, email, name, password });
  }

  // Types what they have; where that leads.
  async signIn(password = this.password) {
    await this.page.goto("/dashboard/sign-in");
    await this.page.getByLabel("E-mail address").fill(this.email);
    await this.page.getByLabel("Password").fill(password);
    await follow(this.page.getByRole("button", { name: "Sign in" }));
  }

  // The first sign-in, with the first password changed.
  async arrive(judge) {
    await this.signIn();
    await this.page.waitForURL("**/dashboard/account/password");
    if (judge) await judge.look(this.page, "password");
    await this.page.getByLabel("Password now").fill(this.password);
    await this.page.getByLabel("New password", { exact: true }).fill(CHOSEN);
    await this.page.getByLabel("New password again").fill(CHOSEN);
    await follow(this.page.getByRole("button", { name: "Change it" }));
    this.password = CHOSEN;
    await this.page.waitForURL("**/dashboard/account?changed=password");
    await this.page.goto("/dashboard");
    await this.page.waitForURL("**/dashboard/test");
  }

  // Enrols a second factor and signs in with it.
  async enrol(judge) {
    const { page } = this;
    await page.goto("/dashboard/account");
    await follow(page.getByRole("link", { name: "Enrol a second factor" }));
    await page.getByLabel("Password").fill(this.password);
    await follow(page.getByRole("button", { name: "Show a new secret" }));
    await page.getByLabel("Code of the app").waitFor();
    // Of no account that lives on.
    await judge.look(page, "totp");
    this.secret = await page.locator("dt:text('Secret') + dd code").innerText();
    await page.getByLabel("Code of the app").fill("000000");
    await follow(page.getByRole("button", { name: "Enrol" }));
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Code of the app").fill(codeOf(this.secret));
    await follow(page.getByRole("button", { name: "Enrol" }));
    await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
    const codes = await page.locator("li code").allInnerTexts();
    assert.equal(codes.length, 10);
    await judge.look(page, "recovery-codes");
    await follow(page.getByRole("link", { name: "to the dashboard" }));
    await follow(page.getByRole("button", { name: "Sign out" }));
    await page.waitForURL("**/dashboard/sign-in");
    await this.signIn();
    await page.waitForURL("**/dashboard/sign-in/code");
    await judge.look(page, "second-step");
    await page.getByLabel("Code of your authenticator app").fill(codes[0]);
    await follow(page.getByRole("button", { name: "Sign in" }));
    await page.waitForURL("**/dashboard/test");
  }

  async go(path) {
    const answer = await this.page.goto(path);
    return answer.status();
  }

  async heading() {
    return this.page.locator("h1").innerText();
  }
}
