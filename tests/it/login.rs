//! A token that a server takes no longer, while nobody is there: the run waits, and goes on by itself when there is
//! another one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::cli::lifeboat;
use super::serve::{Server, began, ended, records, word};

/// The token of every request, as it came.
type Tokens = Arc<Mutex<Vec<String>>>;

/// A service that lets in who bears `new`, for as long as the test's process lives; its port, and what it was asked.
fn door() -> (u16, Tokens) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tokens = Tokens::default();
    let seen = Arc::clone(&tokens);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &seen);
        }
    });
    (port, tokens)
}

fn answer(mut stream: TcpStream, seen: &Tokens) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let token = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": Bearer ")?;
        name.eq_ignore_ascii_case("authorization")
            .then(|| value.to_owned())
    });
    // A connection that was only tried says nothing.
    let Some(token) = token else { return };
    let status = if token == "new" {
        "204 No Content"
    } else {
        "401 Unauthorized"
    };
    seen.lock().unwrap().push(token);
    let said = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(said.as_bytes()).unwrap();
}

fn runbook(port: u16, token: &Path) -> String {
    format!(
        r#"apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: {{ name: acme }}
spec:
  sites: {{ east: {{ embedded: {{}} }}, west: {{ embedded: {{}} }} }}
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: {{ name: shop }}
spec:
  title: Shop
  owner: {{ team: commerce }}
  objectives: {{ rto: 30m, rpo: 15m }}
  roles: {{ active: east, standby: west }}
  schedule:
    - {{ mode: protect, cron: '0 0 * * *' }}
  steps:
    - name: mark
      modes: [protect]
      retry: {{ attempts: 1 }}
      http: {{ method: PUT, url: "http://127.0.0.1:{port}/mark", token_file: {}, repeatable: true }}
"#,
        token.display()
    )
}

fn paused(state: &Path, run: &str) -> Option<Value> {
    let output = lifeboat(state, &["status", run, "--json"]);
    let summary: Value = serde_json::from_slice(&output.stdout).ok()?;
    (summary["state"]["is"] == "paused").then_some(summary)
}

#[test]
fn a_scheduled_run_whose_login_is_refused_waits_and_goes_on_when_there_is_another() {
    let temp = tempfile::tempdir().unwrap();
    let (port, tokens) = door();
    let (state, token, file) = (
        temp.path().join("state"),
        temp.path().join("token"),
        temp.path().join("runbook.yaml"),
    );
    std::fs::write(&token, "old\n").unwrap();
    std::fs::write(&file, runbook(port, &token)).unwrap();
    began(&state, "protect", "0 0 * * *", 25);
    let mut server = Server::start(&state, &file);
    let fired = server.until("a run", |state| records(state, "fired").pop());
    let run = word(&fired["run"]);
    let summary = server.until("its pause", |state| paused(state, &run));
    let why = word(&summary["state"]["reason"]);
    assert!(
        why.starts_with("lifeboat is not logged in at http://127.0.0.1:")
            && why.ends_with("`resume` tries mark again"),
        "{why}"
    );
    std::fs::write(&token, "new\n").unwrap();
    let summary = server.until("its end", |state| ended(state, &run));
    assert_eq!(summary["state"]["verdict"], "recovered", "{summary}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    // Once for each start, and no more: it was not the time that it lacked.
    let tokens = tokens.lock().unwrap();
    let (last, before) = tokens.split_last().unwrap();
    assert_eq!(last, "new");
    assert!(
        (1..=3).contains(&before.len()) && before.iter().all(|token| token == "old"),
        "{tokens:?}"
    );
}
