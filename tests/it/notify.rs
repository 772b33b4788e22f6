//! What is told over the network, as a receiver sees it: a server of this file's own, which checks signatures by RFC 2104
//! and the text of Standard Webhooks, and behaves as servers do on a bad day.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

/// 24 bytes, as the standard's own examples have them.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// In every address that is a secret.
const TOKEN: &str = "aVerySecretToken";

/// One request as it came.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What has come, and where from it can be sent to.
struct Inbox {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Inbox {
    /// Listens for as long as the test's process lives.
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::default();
        let log = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log) = (stream.unwrap(), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Self { port, received }
    }

    fn at(&self, path: &str) -> Vec<Received> {
        let all = self.received.lock().unwrap();
        all.iter().filter(|one| one.path == path).cloned().collect()
    }
}

/// Does what the path says.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<Received>>) {
    let Some(received) = read(&stream) else { return };
    let path = received.path.clone();
    let nth = {
        let mut log = log.lock().unwrap();
        log.push(received);
        log.iter().filter(|one| one.path == path).count()
    };
    let answer = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    let answer = match (path.rsplit('/').next().unwrap(), nth) {
        ("refuses", _) => answer("401 Unauthorized"),
        ("redirects", _) => answer("307 Temporary Redirect\r\nlocation: /elsewhere"),
        ("fails", _) | ("recovers", 1 | 2) => answer("500 Internal Server Error"),
        ("is-busy", 1) => answer("429 Too Many Requests\r\nretry-after: 1"),
        // To hang up without an answer.
        ("loses-its-answer", 1) | ("slack-loses-it", _) => return,
        ("stalls", _) => {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]);
            return;
        }
        // More than anybody reads.
        ("talks-for-ever", _) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
            return;
        }
        _ => answer("204 No Content"),
    };
    let _ = stream.write_all(answer.as_bytes());
}

fn read(stream: &TcpStream) -> Option<Received> {
    // In small pieces, so that of a request that is not read to its end something is left.
    let mut reader = BufReader::with_capacity(16, stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    if path.ends_with("/resets") {
        // What was sent and not read makes the system say so with a reset.
        return None;
    }
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        path,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

/// HMAC-SHA256 as RFC 2104 defines it, for keys that are shorter than a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded = |with: u8| -> Vec<u8> {
        let byte = |at: usize| key.get(at).copied().unwrap_or(0) ^ with;
        (0..64).map(byte).collect()
    };
    let inner = Sha256::digest([&padded(0x36), text].concat());
    Sha256::digest([&padded(0x5c), &inner[..]].concat()).to_vec()
}

/// What a receiver does before it believes a message: the signature is that of exactly these bytes, and it is of now.
fn verified(one: &Received) {
    let (id, at) = (&one.headers["webhook-id"], &one.headers["webhook-timestamp"]);
    let signed = format!("{id}.{at}.{}", one.body);
    let mac = hmac(&Base64::decode_vec(KEY).unwrap(), signed.as_bytes());
    assert_eq!(
        one.headers["webhook-signature"],
        format!("v1,{}", Base64::encode_string(&mac)),
        "{one:?}"
    );
    let now = jiff::Timestamp::now().as_second();
    let age = now - at.parse::<i64>().unwrap();
    assert!((0..=300).contains(&age), "a receiver takes five minutes: {age}");
}

/// Steps that all begin at once, each telling somebody of its own name, and one that needs all of them.
fn runbook(port: u16, receivers: &[&str]) -> String {
    let mut text = String::from(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Sites\nmetadata: { name: acme }\nspec:\n  sites:\n    \
         east: { embedded: {} }\n    west: { embedded: {} }\n  notify:\n",
    );
    for name in receivers {
        let how = match *name {
            "slack" => "slack: { urlFile: slack.url }".to_owned(),
            "slack-loses-it" => "slack: { urlEnv: HOOK_SLACK }".to_owned(),
            "secret" => "webhook: { urlEnv: HOOK_URL, keyEnv: HOOK_KEY }".to_owned(),
            name => format!("webhook: {{ url: 'http://127.0.0.1:{port}/{name}', keyFile: hook.key }}"),
        };
        text = format!("{text}    {name}: {{ {how} }}\n");
    }
    text += "---\napiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: { name: shop }\nspec:\n  title: Shop\n  \
             owner: { team: commerce }\n  objectives: { rto: 30m, rpo: 15m }\n  roles: { active: east, standby: west }\n  steps:\n";
    for name in receivers {
        text = format!(
            "{text}    - {{ name: {name}, modes: [protect, failover], notify: {{ to: {name}, text: \"<!channel> back & well\" }} }}\n"
        );
    }
    let needs = receivers.join(", ");
    format!(
        "{text}    - {{ name: goes-on, modes: [protect, failover], needs: [{needs}], pause: {{ for: 1ms, reason: the end }} }}\n"
    )
}

/// A folder with the runbook and its secrets.
fn folder(port: u16, receivers: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("runbook.yaml", &runbook(port, receivers));
    write("hook.key", &format!("whsec_{KEY}\n"));
    write("slack.url", &format!("http://127.0.0.1:{port}/{TOKEN}/slack\n"));
    folder
}

fn lifeboat(folder: &Path, port: u16, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .current_dir(folder)
        .args(["--plain", "--state", "state"])
        .args(args)
        .env_remove("LIFEBOAT_SITES")
        .env("HOOK_URL", format!("http://127.0.0.1:{port}/{TOKEN}/secret"))
        .env(
            "HOOK_SLACK",
            format!("http://127.0.0.1:{port}/{TOKEN}/slack-loses-it"),
        )
        .env("HOOK_KEY", format!("whsec_{KEY}"))
        // The most that can be had of it.
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(folder: &Path, port: u16, args: &[&str]) -> String {
    let output = lifeboat(folder, port, args);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    said
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let each = entries.map(|entry| entry.unwrap().path());
    each.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Everybody at once, so that all of it takes as long as who stalls.
const ALL: [&str; 12] = [
    "hears",
    "secret",
    "slack",
    "recovers",
    "is-busy",
    "loses-its-answer",
    "fails",
    "stalls",
    "resets",
    "redirects",
    "refuses",
    "talks-for-ever",
];

#[test]
fn whatever_receivers_do_the_run_goes_on_and_says_who_was_not_told() {
    let inbox = Inbox::open();
    let receivers = [&ALL[..], &["slack-loses-it"]].concat();
    let folder = folder(inbox.port, &receivers);
    let out = said(folder.path(), inbox.port, &["protect", "."]);
    let line = |name: &str| {
        let found = out
            .lines()
            .find(|line| line.split_whitespace().any(|word| word == name) && line.contains(" ok "));
        found.unwrap_or_else(|| panic!("{name}: {out}")).to_owned()
    };
    assert!(line("goes-on").contains("waited 1ms"), "{out}");
    for (name, words) in [
        ("hears", "told hears"),
        ("secret", "told secret"),
        ("slack", "told slack"),
        ("recovers", "told recovers"),
        ("is-busy", "told is-busy"),
        ("loses-its-answer", "told loses-its-answer"),
        ("talks-for-ever", "told talks-for-ever"),
        ("fails", "WHETHER fails WAS TOLD IS NOT KNOWN: answered 500"),
        (
            "stalls",
            "WHETHER stalls WAS TOLD IS NOT KNOWN: no answer within 4s",
        ),
        ("resets", "WHETHER resets WAS TOLD IS NOT KNOWN: no answer from"),
        (
            "redirects",
            "redirects WAS NOT TOLD: answered 307, and redirects are not followed",
        ),
        ("refuses", "refuses WAS NOT TOLD: answered 401"),
        (
            "slack-loses-it",
            "WHETHER slack-loses-it WAS TOLD IS NOT KNOWN: no answer from",
        ),
    ] {
        assert!(line(name).contains(words), "{name}: {out}");
    }
}

#[test]
fn a_receiver_can_verify_what_it_hears_and_knows_a_repeat() {
    let inbox = Inbox::open();
    let folder = folder(inbox.port, &ALL);
    said(folder.path(), inbox.port, &["protect", "."]);
    for (path, times) in [
        ("/hears", 1),
        ("/aVerySecretToken/secret", 1),
        ("/recovers", 3),
        ("/is-busy", 2),
        ("/loses-its-answer", 2),
        ("/fails", 4),
        ("/redirects", 1),
        ("/elsewhere", 0),
        ("/refuses", 1),
        ("/talks-for-ever", 1),
    ] {
        let came = inbox.at(path);
        assert_eq!(came.len(), times, "{path}");
        came.iter().for_each(verified);
        let ids: std::collections::BTreeSet<_> = came.iter().map(|one| &one.headers["webhook-id"]).collect();
        assert!(ids.len() <= 1, "one id for every try: {ids:?}");
    }
    let [one] = inbox.at("/hears").try_into().unwrap();
    let body: serde_json::Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!(body["type"], "lifeboat.notice");
    assert_eq!(body["data"]["text"], "<!channel> back & well");
    assert_eq!(body["data"]["step"], "hears");
    let mut forged = one.clone();
    forged.body = forged.body.replace("well", "gone");
    assert!(
        std::panic::catch_unwind(|| verified(&forged)).is_err(),
        "another body has another signature"
    );
    let [slack] = inbox.at("/aVerySecretToken/slack").try_into().unwrap();
    let body: serde_json::Value = serde_json::from_str(&slack.body).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("&lt;!channel&gt; back &amp; well\nshop-p-"),
        "{text}"
    );
    assert!(!slack.headers.contains_key("webhook-signature"));
}

#[test]
fn slack_is_not_told_twice_after_a_lost_answer() {
    let inbox = Inbox::open();
    let folder = folder(inbox.port, &["slack-loses-it"]);
    said(folder.path(), inbox.port, &["protect", "."]);
    assert_eq!(inbox.at("/aVerySecretToken/slack-loses-it").len(), 1);
}

#[test]
fn no_secret_is_on_the_screen_in_a_plan_in_the_journal_or_in_a_report() {
    let inbox = Inbox::open();
    let folder = folder(inbox.port, &["hears", "secret", "slack", "slack-loses-it"]);
    let at = folder.path();
    let mut all = said(
        at,
        inbox.port,
        &["plan", ".", "--mode", "failover", "--save", "state/plan.json"],
    );
    all += &said(at, inbox.port, &["plan", ".", "--mode", "failover", "--rehearse"]);
    all += &said(at, inbox.port, &["protect", "."]);
    let run = std::fs::read_dir(at.join("state/runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let run = run.file_name().into_string().unwrap();
    all += &said(at, inbox.port, &["report", &run]);
    all += &said(at, inbox.port, &["explain", &run, "slack-loses-it"]);
    all += &said(at, inbox.port, &["docs", "plan", ".", "--out", "state/paper"]);
    for file in files(&at.join("state")) {
        all += &String::from_utf8_lossy(&std::fs::read(&file).unwrap());
    }
    assert!(all.contains("slack-loses-it WAS TOLD IS NOT KNOWN"), "{all}");
    for secret in [TOKEN, KEY] {
        let shown = all.lines().find(|line| line.contains(secret));
        assert_eq!(shown, None, "{secret}");
    }
    let plan = std::fs::read_to_string(at.join("state/plan.json")).unwrap();
    assert!(!plan.contains("127.0.0.1"), "{plan}");
}

#[test]
fn before_anything_is_done_it_is_said_who_could_not_be_told_and_nothing_is_sent() {
    let inbox = Inbox::open();
    let folder = folder(inbox.port, &["hears", "secret"]);
    let at = folder.path();
    let rehearse = ["plan", ".", "--mode", "failover", "--rehearse"];
    let out = said(at, inbox.port, &rehearse);
    let answers = format!("127.0.0.1:{} answers", inbox.port);
    assert!(out.contains(&answers), "{out}");
    std::fs::write(at.join("hook.key"), "whsec_c2hvcnQ=").unwrap();
    let output = lifeboat(at, inbox.port, &rehearse);
    let out = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = out.split_whitespace().collect();
    let why = "it has 5 bytes, and 24 are the least";
    assert!(words.join(" ").contains(why), "{out}");
    assert_eq!(inbox.received.lock().unwrap().len(), 0);
    // It would be told nothing, and the run goes on. 7: no step proves health, so no RTO is measured.
    let output = lifeboat(at, inbox.port, &["failover", ".", "--confirm", "west standby"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let out = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(out.contains("hears WAS NOT TOLD"), "{out}");
    assert!(out.contains("told secret"), "{out}");
}

/// What the continuity plan tells a person to type.
#[test]
#[ignore = "needs openssl and curl"]
fn what_a_person_types_is_signed_as_well() {
    let inbox = Inbox::open();
    let folder = folder(inbox.port, &["hears", "secret", "slack"]);
    let text = std::fs::read_to_string(folder.path().join("runbook.yaml")).unwrap();
    let mut sources = lifeboat::text::Sources::default();
    let ids = [sources.add("runbook.yaml", text)];
    let kinds = lifeboat::step::KINDS;
    let loaded = lifeboat::runbook::load(&sources, &ids, &lifeboat::step::kind_names(kinds));
    let (loaded, bound) = lifeboat::step::check(loaded, kinds);
    let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
    for (step, ready) in runbook.steps.iter().zip(bound.unwrap().steps) {
        let place = lifeboat::step::Place {
            runbook: &runbook,
            sites: &sites,
            step: &step.name.value,
            timeout_ms: step.policy.timeout_ms,
        };
        let commands = ready
            .unwrap()
            .by_hand(&place)
            .into_iter()
            .filter_map(|hand| match hand {
                lifeboat::step::Hand::Run(command) => Some(command),
                lifeboat::step::Hand::Say(_) => None,
            });
        let script = commands.collect::<Vec<_>>().join("\n");
        let output = Command::new("sh")
            .args(["-eu", "-c", &script])
            .current_dir(folder.path())
            .env(
                "HOOK_URL",
                format!("http://127.0.0.1:{}/{TOKEN}/secret", inbox.port),
            )
            .env("HOOK_KEY", format!("whsec_{KEY}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
    }
    for path in ["/hears", "/aVerySecretToken/secret"] {
        let [one] = inbox.at(path).try_into().unwrap();
        verified(&one);
        assert!(one.body.contains("<!channel> back & well"), "{one:?}");
    }
    let [slack] = inbox.at("/aVerySecretToken/slack").try_into().unwrap();
    assert_eq!(slack.body, r#"{"text":"&lt;!channel&gt; back &amp; well"}"#);
}
