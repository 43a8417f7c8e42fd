//! The verifiers of `docs/webhooks.md`, run as they stand there over messages that are to be believed and messages that aren't. The one in Rust is
//! compiled with these tests; where a language isn't installed, that is said, and its verifier isn't run.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;

use super::sign::signatures;
use crate::domain::webhook::TYPES;
use crate::gateway::webhooks::secrets::SigningSecret;

#[path = "page_verifier.rs"]
mod page_verifier;

const PAGE: &str = include_str!("../../docs/webhooks.md");
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NOW: i64 = 1_795_344_000;

/// The page's only block of a language.
fn block(language: &str) -> &'static str {
    let begins = format!("```{language}\n");
    let mut blocks = PAGE.split(begins.as_str()).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no {language}")).split("```").next().unwrap();
    assert!(blocks.next().is_none(), "{language} stands twice");
    block
}

struct Message {
    what: &'static str,
    is_sound: bool,
    secret: &'static str,
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
}

/// Signed by what signs in production.
fn signed(secrets: &[&str], at: i64, body: &str) -> String {
    let secrets: Vec<SigningSecret> =
        secrets.iter().map(|secret| serde_json::from_value((*secret).into()).unwrap()).collect();
    signatures(&secrets, "evt_1", DateTime::from_timestamp(at, 0).unwrap(), body)
}

fn message(what: &'static str, is_sound: bool, change: impl FnOnce(&mut Message)) -> Message {
    let body = format!("{{\"type\":\"{}\",\"data\":{{\"text\":\"für 5 €\"}}}}", TYPES[0].0);
    let mut message = Message {
        what,
        is_sound,
        secret: SECRET,
        id: "evt_1".to_owned(),
        timestamp: NOW.to_string(),
        signatures: signed(&[SECRET], NOW, &body),
        body: body.into_bytes(),
    };
    change(&mut message);
    message
}

fn at(message: &mut Message, secs: i64) {
    message.timestamp = secs.to_string();
    message.signatures = signed(&[SECRET], secs, std::str::from_utf8(&message.body).unwrap());
}

fn messages() -> Vec<Message> {
    let both = |m: &Message, one, other| signed(&[one, other], NOW, std::str::from_utf8(&m.body).unwrap());
    vec![
        message("a good one", true, |_| {}),
        message("two signatures, ours first", true, |m| m.signatures = both(m, SECRET, OTHER)),
        message("two signatures, ours last", true, |m| m.signatures = both(m, OTHER, SECRET)),
        message("a signature of a later version beside ours", true, |m| {
            m.signatures = format!("v1a,xyz {}", m.signatures);
        }),
        message("almost too old", true, |m| at(m, NOW - 300)),
        message("almost too new", true, |m| at(m, NOW + 300)),
        message("too old", false, |m| at(m, NOW - 301)),
        message("too new", false, |m| at(m, NOW + 301)),
        message("an altered body", false, |m| m.body[20] ^= 1),
        message("a body that goes on", false, |m| m.body.push(b' ')),
        message("a wrong secret", false, |m| m.secret = OTHER),
        message("another id", false, |m| m.id = "evt_2".to_owned()),
        message("another time", false, |m| m.timestamp = (NOW + 1).to_string()),
        message("no id", false, |m| m.id.clear()),
        message("no time", false, |m| m.timestamp.clear()),
        message("a time that is none", false, |m| m.timestamp = "1e9".to_owned()),
        message("a time below zero", false, |m| m.timestamp = format!("-{NOW}")),
        message("no signature", false, |m| m.signatures.clear()),
        message("an empty signature", false, |m| m.signatures = "v1,".to_owned()),
        message("a cut signature", false, |m| m.signatures.truncate(20)),
        message("a signature of another version", false, |m| m.signatures = m.signatures.replace("v1,", "v2,")),
        message("a signature without its version", false, |m| m.signatures = m.signatures.replace("v1,", "")),
    ]
}

/// As the drivers read it: fields in base64, with spaces between.
fn line(message: &Message, now: i64) -> String {
    let fields = [message.secret, &message.id, &message.timestamp, &message.signatures];
    let fields: Vec<String> = fields.iter().map(|field| format!("={}", STANDARD.encode(field))).collect();
    format!("{} ={} {now}\n", fields.join(" "), STANDARD.encode(&message.body))
}

/// The example that the page shows, at its own time.
fn published() -> (Message, i64) {
    let cell = |name: &str| {
        let row = PAGE.lines().find_map(|line| line.strip_prefix(&format!("| {name} | `"))).unwrap();
        row.strip_suffix("` |").unwrap().to_owned()
    };
    let change = |m: &mut Message| {
        assert_eq!(cell("secret"), SECRET);
        m.id = cell("webhook-id");
        m.timestamp = cell("webhook-timestamp");
        m.signatures = cell("webhook-signature");
        m.body = cell("body").into_bytes();
    };
    let example = message("the published example", true, change);
    let at = example.timestamp.parse().unwrap();
    (example, at)
}

/// Every message with the time at which it is looked at.
fn cases() -> Vec<(Message, i64)> {
    messages().into_iter().map(|message| (message, NOW)).chain([published()]).collect()
}

fn judge(language: &str, verdicts: &[bool]) {
    let cases = cases();
    assert_eq!(verdicts.len(), cases.len(), "{language}");
    for ((message, _), verdict) in cases.iter().zip(verdicts) {
        assert_eq!(*verdict, message.is_sound, "{language}: {}", message.what);
    }
}

/// Runs a driver over all cases; it prints `true` or `false` for each.
fn run(language: &str, command: &mut Command) {
    let input: String = cases().iter().map(|(message, now)| line(message, *now)).collect();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{language}: {output:?}");
    let verdicts: Vec<bool> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect();
    judge(language, &verdicts);
}

fn is_missing(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_missing = !is_there.is_ok_and(|status| status.success());
    if is_missing {
        eprintln!("skipped: {program} isn't here, so its verifier of docs/webhooks.md is NOT run");
    }
    is_missing
}

fn written(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_pages_verifier_in_javascript_believes_what_is_sound_and_nothing_else() {
    if is_missing("node") {
        return;
    }
    let driver = r#"
import { readFileSync } from "node:fs";
import { verify } from "./verify.mjs";
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const [secret, id, timestamp, signatures, body, now] = line.split(" ").map((text) => text[0] === "=" ? Buffer.from(text.slice(1), "base64") : text);
  const headers = { "webhook-id": String(id), "webhook-timestamp": String(timestamp), "webhook-signature": String(signatures) };
  let believed = true;
  try { verify(String(secret), headers, body, Number(now)); } catch { believed = false; }
  console.log(believed);
}
"#;
    let folder = written(&[("verify.mjs", block("js").to_owned()), ("driver.mjs", driver.to_owned())]);
    run("JavaScript", Command::new("node").arg(folder.path().join("driver.mjs")));
}

#[test]
fn the_pages_verifier_in_python_believes_what_is_sound_and_nothing_else() {
    if is_missing("python3") {
        return;
    }
    let driver = r#"
import sys
from base64 import b64decode
from verify import verify
for line in sys.stdin:
    *fields, now = line.split()
    secret, message_id, timestamp, signatures, body = [b64decode(field[1:]) for field in fields]
    headers = {"webhook-id": message_id.decode(), "webhook-timestamp": timestamp.decode(), "webhook-signature": signatures.decode()}
    try:
        verify(secret.decode(), headers, body, int(now))
        print("true")
    except ValueError:
        print("false")
"#;
    let folder = written(&[("verify.py", block("python").to_owned()), ("driver.py", driver.to_owned())]);
    run("Python", Command::new("python3").arg("-B").arg(folder.path().join("driver.py")));
}

#[test]
fn the_pages_verifier_in_java_believes_what_is_sound_and_nothing_else() {
    if is_missing("javac") || is_missing("java") {
        return;
    }
    let driver = r#"
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.Scanner;

final class Driver {
    static byte[] field(String text) { return Base64.getDecoder().decode(text.substring(1)); }
    static String text(String text) { return new String(field(text), StandardCharsets.UTF_8); }
    public static void main(String[] arguments) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] part = lines.nextLine().split(" ");
            boolean believed = true;
            try {
                LandfallWebhook.verify(text(part[0]), text(part[1]), text(part[2]), text(part[3]), field(part[4]), Long.parseLong(part[5]));
            } catch (GeneralSecurityException refused) {
                believed = false;
            }
            System.out.println(believed);
        }
    }
}
"#;
    let folder = written(&[("LandfallWebhook.java", block("java").to_owned()), ("Driver.java", driver.to_owned())]);
    let compiled = Command::new("javac")
        .args(["--release", "11", "-Xlint:-options", "-d", "."])
        .args(["LandfallWebhook.java", "Driver.java"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(compiled.success());
    run("Java", Command::new("java").args(["-cp", ".", "Driver"]).current_dir(folder.path()));
}

#[test]
fn the_pages_verifier_in_rust_believes_what_is_sound_and_nothing_else() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/webhooks/page_verifier.rs");
    let compiled = fs::read_to_string(file).unwrap();
    let (_, code) = compiled.split_once("\n\n").unwrap();
    assert!(code == block("rust"), "docs/webhooks.md has another verifier than src/webhooks/page_verifier.rs");
    let verdict = |(message, now): (Message, i64)| {
        let headers = (message.id.as_str(), message.timestamp.as_str(), message.signatures.as_str());
        page_verifier::verify(message.secret, headers, &message.body, now.unsigned_abs()).is_ok()
    };
    judge("Rust", &cases().into_iter().map(verdict).collect::<Vec<_>>());
}
