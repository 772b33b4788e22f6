//! `lifeboat serve` as a process: what was due, what holds it up, what ends it, and what is there after it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cli::{copy_of, expect, lifeboat};

/// A machine with one core and other work needs a while for a run of a second.
const PATIENCE: Duration = Duration::from_mins(2);

/// The shop with a schedule of the test's own, and whatever else is to be changed in its text.
pub(crate) fn scheduled_shop(temp: &Path, schedule: &str) -> PathBuf {
    let shop = copy_of("playbooks/shop", temp);
    let file = shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("  schedule:\n").unwrap();
    let (_, steps) = rest.split_once("\n  steps:\n").unwrap();
    std::fs::write(
        &file,
        format!("{head}  schedule:\n{schedule}\n\n  steps:\n{steps}"),
    )
    .unwrap();
    shop
}

/// A ledger in which a line began so long ago: what was due since then, nobody served.
pub(crate) fn began(state: &Path, mode: &str, cron: &str, hours_ago: i64) {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours_ago);
    let rule = json!({"mode": mode, "cron": cron, "zone": "UTC"});
    let record = json!({"began": {"line": format!("shop/{mode}"), "rule": rule, "at": at}});
    let entry = json!({"format": 1, "seq": 0, "at": at, "prev": "", "record": record});
    std::fs::create_dir_all(state.join("serve")).unwrap();
    let mut file = std::fs::File::create(state.join("serve/ledger.jsonl")).unwrap();
    writeln!(file, "{entry}").unwrap();
}

/// Records of the ledger of this kind.
pub(crate) fn records(state: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(state.join("serve/ledger.jsonl")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entries = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries
        .filter_map(|entry| entry["record"].get(kind).cloned())
        .collect()
}

/// A server; it ends with the test.
pub(crate) struct Server {
    child: Child,
    state: PathBuf,
}

impl Server {
    pub(crate) fn start(state: &Path, runbook: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .arg("--state")
            .arg(state)
            .arg("serve")
            .args(if cfg!(feature = "page") {
                &["--listen", "127.0.0.1:0"] as &[&str]
            } else {
                &[]
            })
            .arg(runbook)
            .env_remove("LIFEBOAT_SITES")
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(state.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let state = state.to_owned();
        Self { child, state }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.state.with_extension("log")).unwrap()
    }

    /// Waits until something is so.
    pub(crate) fn until<T>(&mut self, what: &str, look: impl Fn(&Path) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(&self.state) {
                return found;
            }
            let over = self.child.try_wait().unwrap();
            assert!(
                over.is_none() && began.elapsed() < PATIENCE,
                "{what}: never came; {over:?}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as an init system does; how it ended.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The run's report, once it has ended.
pub(crate) fn ended(state: &Path, run: &str) -> Option<Value> {
    let output = lifeboat(state, &["status", run, "--json"]);
    let summary: Value = serde_json::from_slice(&output.stdout).ok()?;
    (summary["state"]["is"] == "ended").then_some(summary)
}

pub(crate) fn word(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn what_came_due_while_nobody_served_is_done_once_and_never_again() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let daily = "    - { mode: protect, cron: '0 0 * * *' }";
    let shop = scheduled_shop(temp.path(), daily);
    began(&state, "protect", "0 0 * * *", 72);
    let mut server = Server::start(&state, &shop);
    let fired = server.until("a run", |state| records(state, "fired").pop());
    let run = word(&fired["run"]);
    let summary = server.until("its end", |state| ended(state, &run));
    assert_eq!(summary["state"]["verdict"], "recovered", "{summary}");
    assert_eq!(summary["operator"]["name"], "lifeboat serve, protect");
    let missed = records(&state, "missed");
    assert!(missed[0]["count"].as_u64() >= Some(2), "{missed:?}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());

    // A second server finds nothing to do but what is new.
    let file = shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = format!("{daily}\n    - {{ name: monthly, mode: drill, cron: '@monthly' }}");
    std::fs::write(&file, text.replace(daily, &more)).unwrap();
    let mut server = Server::start(&state, &shop);
    server.until("the new line", |state| {
        (records(state, "began").len() == 2).then_some(())
    });
    assert_eq!(server.stop(), Some(0));
    assert_eq!(records(&state, "fired"), [fired]);
    assert_eq!(records(&state, "intended").len(), 1);
}

#[test]
fn one_server_serves_a_state_folder() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let shop = scheduled_shop(temp.path(), "    - { mode: protect, cron: '@yearly' }");
    let mut first = Server::start(&state, &shop);
    first.until("a ledger", |state| records(state, "began").pop());
    let mut second = Server::start(&state, &shop);
    assert_eq!(second.child.wait().unwrap().code(), Some(5));
}

#[test]
fn a_flag_a_window_and_an_address_hold_a_due_time_back_with_their_reasons() {
    for (key, reason) in [
        ("unless: { file: freeze }", "release week"),
        (
            "blocked: [{ between: '00:00-24:00', reason: quarter end }]",
            "blocked: quarter end",
        ),
        (
            "only_if: { http: 'http://east.embedded/nobody/healthz' }",
            "http://east.embedded/nobody/healthz did not answer",
        ),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let state = temp.path().join("state");
        let shop = scheduled_shop(
            temp.path(),
            &format!("    - {{ mode: protect, cron: '0 0 * * *', {key} }}"),
        );
        std::fs::write(shop.join("freeze"), "release week\n").unwrap();
        began(&state, "protect", "0 0 * * *", 25);
        let mut server = Server::start(&state, &shop);
        let skipped = server.until(key, |state| records(state, "skipped").pop());
        assert!(word(&skipped["why"]).contains(reason), "{key}: {skipped}");
        assert_eq!(server.stop(), Some(0));
        assert!(
            records(&state, "fired").is_empty() && !state.join("runs").exists(),
            "{key}"
        );
    }
}

#[test]
fn nothing_begins_by_itself_in_an_incident_nor_after_one_that_the_runbook_does_not_know_of() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let shop = scheduled_shop(temp.path(), "    - { mode: protect, cron: '0 0 * * *' }");
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    // It waits for a person who sends customers there.
    expect(4, &state, &["failover", runbook, "--confirm", "west standby"]);
    began(&state, "protect", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let skipped = server.until("a word of it", |state| records(state, "skipped").pop());
    assert!(word(&skipped["why"]).starts_with("failover shop-f-"), "{skipped}");
    assert_eq!(server.stop(), Some(0));

    // The same without the question: it ends, and the shop is elsewhere.
    let text = std::fs::read_to_string(shop.join("runbook.yaml")).unwrap();
    let (before, _) = text.split_once("    - name: go\n").unwrap();
    std::fs::write(shop.join("runbook.yaml"), before).unwrap();
    std::fs::remove_dir_all(&state).unwrap();
    expect(0, &state, &["protect", runbook]);
    expect(0, &state, &["failover", runbook, "--confirm", "west standby"]);
    began(&state, "protect", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let skipped = server.until("a word of it", |state| records(state, "skipped").pop());
    let why = word(&skipped["why"]);
    assert!(
        why.contains("moved it to west, and the runbook says that east is active"),
        "{why}"
    );
    assert_eq!(server.stop(), Some(0));

    // Somebody says where it is.
    std::fs::write(
        shop.join("runbook.yaml"),
        before.replace("active: east, standby: west", "active: west, standby: east"),
    )
    .unwrap();
    began(&state, "protect", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    // An embedded west is empty in this process, so that there is nothing to back up: but it is tried.
    server.until("a try", |state| {
        let tried = records(state, "intended").pop().is_some();
        (tried || log_of(state).contains("cannot go on now")).then_some(())
    });
    assert!(records(&state, "skipped").is_empty());
}

fn log_of(state: &Path) -> String {
    std::fs::read_to_string(state.with_extension("log")).unwrap_or_default()
}

/// The shop with a step that takes its time, in these modes.
fn slow_shop(temp: &Path, schedule: &str, modes: &str, time: &str) -> PathBuf {
    let shop = scheduled_shop(temp, schedule);
    let file = shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let slow = format!(
        "  steps:\n    - {{ name: slow, modes: [{modes}], pause: {{ for: {time}, reason: it takes its time }}, timeout: 1h }}\n"
    );
    std::fs::write(&file, text.replacen("  steps:\n", &slow, 1)).unwrap();
    shop
}

fn journal_of(state: &Path, run: &str) -> String {
    std::fs::read_to_string(state.join("runs").join(run).join("journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_declared_incident_keeps_drills_away_and_lets_backups_be_made() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let both =
        "    - { mode: drill, cron: '0 0 * * *', deadline: 48h }\n    - { mode: protect, cron: '0 0 * * *' }";
    let shop = scheduled_shop(temp.path(), both);
    let runbook = shop.to_str().unwrap();
    let why = ["--as", "anna", "--reason", "the region is silent"];
    expect(0, &state, &[&["declare", runbook][..], &why].concat());
    began(&state, "drill", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let skipped = server.until("a word of it", |state| records(state, "skipped").pop());
    let why = word(&skipped["why"]);
    assert!(
        why.starts_with("an incident is declared since") && why.ends_with(", by anna"),
        "{why}"
    );
    assert_eq!(server.stop(), Some(0));

    began(&state, "protect", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let fired = server.until("a backup", |state| records(state, "fired").pop());
    let run = word(&fired["run"]);
    let summary = server.until("its end", |state| ended(state, &run));
    assert_eq!(summary["state"]["verdict"], "recovered", "{summary}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_failover_ends_a_drill_that_is_under_way_and_the_drill_is_torn_down() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let schedule = "    - { mode: drill, cron: '0 0 * * *', deadline: 48h }";
    let shop = slow_shop(temp.path(), schedule, "drill", "30m");
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    began(&state, "drill", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let fired = server.until("a drill", |state| records(state, "fired").pop());
    let run = word(&fired["run"]);
    server.until("its work", |state| {
        journal_of(state, &run).contains("\"performed\"").then_some(())
    });
    // It does not wait for the drill.
    expect(4, &state, &["failover", runbook, "--confirm", "west standby"]);
    let summary = server.until("the drill's end", |state| ended(state, &run));
    assert_eq!(summary["state"]["verdict"], "stopped", "{summary}");
    let acts = summary["acts"].to_string();
    assert!(
        acts.contains("goes before a drill") && acts.contains("lifeboat serve"),
        "{acts}"
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_run_that_a_stop_or_a_kill_interrupted_goes_on_at_the_next_start() {
    for signal in ["-TERM", "-KILL"] {
        let temp = tempfile::tempdir().unwrap();
        let state = temp.path().join("state");
        let schedule = "    - { mode: protect, cron: '0 0 * * *' }";
        let shop = slow_shop(temp.path(), schedule, "protect", "4s");
        began(&state, "protect", "0 0 * * *", 25);
        let mut server = Server::start(&state, &shop);
        let fired = server.until("a run", |state| records(state, "fired").pop());
        let run = word(&fired["run"]);
        server.until("its work", |state| {
            journal_of(state, &run).contains("\"intended\"").then_some(())
        });
        let pid = server.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let code = server.child.wait().unwrap().code();
        assert_eq!(code, (signal == "-TERM").then_some(0), "{}", server.log());
        assert!(
            !journal_of(&state, &run).contains("\"finished\""),
            "{signal}: it was to be interrupted"
        );

        let mut server = Server::start(&state, &shop);
        let summary = server.until("its end", |state| ended(state, &run));
        assert_eq!(summary["state"]["verdict"], "recovered", "{signal}: {summary}");
        assert_eq!(server.stop(), Some(0));
        assert_eq!(records(&state, "fired"), [fired], "{signal}");
    }
}

/// One request over HTTP/1.1; status line, headers and body as they came.
#[cfg(feature = "page")]
fn get(address: &str, path: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    send(address, &request)
}

#[cfg(feature = "page")]
fn send(address: &str, request: &str) -> Option<String> {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(feature = "page")]
impl Server {
    /// Where it listens.
    fn address(&mut self) -> String {
        self.until("its address", |state| {
            let log = log_of(state);
            let (_, rest) = log.split_once("http://")?;
            Some(rest.split_once('/')?.0.to_owned())
        })
    }
}

#[cfg(feature = "page")]
#[test]
fn page_metrics_and_health_are_served_and_reports_are_linked() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let shop = scheduled_shop(
        temp.path(),
        "    - { mode: drill, cron: '0 0 * * *', deadline: 48h }",
    );
    expect(0, &state, &["protect", shop.to_str().unwrap()]);
    began(&state, "drill", "0 0 * * *", 25);
    let mut server = Server::start(&state, &shop);
    let run = server.until("a drill", |state| records(state, "fired").pop());
    let run = word(&run["run"]);
    server.until("its end", |state| ended(state, &run));
    let address = server.address();
    let proved = server.until("the proof on the page", |_| {
        let page = get(&address, "/")?;
        page.contains("needs attention").then_some(page)
    });
    assert!(
        proved.starts_with("HTTP/1.1 200 OK") && proved.contains("default-src 'none'"),
        "{proved}"
    );
    let link = format!("/runs/{run}/report.html");
    assert!(proved.contains(&format!("href=\"{link}\"")), "{proved}");
    assert!(get(&address, &link).unwrap().contains("<!doctype html>"));
    for path in [
        "/runs/../serve/ledger.jsonl",
        "/runs/nobody/report.html",
        &format!("/runs/{run}/journal.jsonl"),
    ] {
        assert!(get(&address, path).unwrap().starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(get(&address, "/healthz").unwrap().ends_with("\r\n\r\nok\n"));
    let metrics = get(&address, "/metrics").unwrap();
    assert!(
        metrics.contains("application/openmetrics-text; version=1.0.0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("lifeboat_service_state{service=\"shop\",state=\"needs-attention\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("end=\"fired\"} 1"), "{metrics}");
    assert_eq!(server.stop(), Some(0));
}

/// Debian's Prometheus as the lab has fetched it, running on this configuration.
#[cfg(feature = "page")]
fn prometheus(folder: &Path, config: &Path, port: &str) -> Command {
    let facts = crate::bundle::bundle("prometheus");
    let (name, value) = facts["environment"].as_str().unwrap().split_once('=').unwrap();
    let mut command = Command::new(facts["program"].as_str().unwrap());
    command
        .env(name, value)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
        .arg(format!("--web.listen-address={port}"))
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(folder.join("prometheus.log")).unwrap());
    command
}

/// The JSON that a Prometheus answers; asked in the old version of HTTP, in which a body comes in one piece.
#[cfg(feature = "page")]
fn asked(address: &str, path: &str) -> Option<Value> {
    let said = send(address, &format!("GET {path} HTTP/1.0\r\n\r\n"))?;
    let (_, body) = said.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// Samples by their name and labels, as text is written: what differs from look to look is left out.
#[cfg(feature = "page")]
type Samples = std::collections::BTreeMap<String, f64>;

#[cfg(feature = "page")]
const CHANGES: &str = "lifeboat_looked_timestamp_seconds";

#[cfg(feature = "page")]
fn served(address: &str) -> Option<Samples> {
    let said = get(address, "/metrics")?;
    let lines = said.lines().filter(|line| line.starts_with("lifeboat_"));
    let samples = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let mut labels: Vec<&str> = labels.trim_end_matches('}').split("\",").collect();
        labels.sort_unstable();
        let labels: Vec<&str> = labels.into_iter().map(|one| one.trim_end_matches('"')).collect();
        (format!("{name} {}", labels.join(", ")), value.parse().unwrap())
    });
    Some(samples.filter(|(name, _)| !name.starts_with(CHANGES)).collect())
}

#[cfg(feature = "page")]
fn scraped(port: &str) -> Option<Samples> {
    let all = asked(
        port,
        "/api/v1/query?query=%7Bjob%3D%22lifeboat%22%2C__name__%3D~%22lifeboat_.%2B%22%7D",
    )?;
    let samples = all["data"]["result"].as_array()?.iter().map(|one| {
        let labels = one["metric"].as_object().unwrap();
        let own = labels
            .iter()
            .filter(|(name, _)| !["__name__", "job", "instance"].contains(&name.as_str()));
        let mut own: Vec<String> = own
            .map(|(name, value)| format!("{name}=\"{}", value.as_str().unwrap()))
            .collect();
        own.sort_unstable();
        let name = labels["__name__"].as_str().unwrap();
        let value = one["value"][1].as_str().unwrap().parse().unwrap();
        (format!("{name} {}", own.join(", ")), value)
    });
    Some(samples.filter(|(name, _)| !name.starts_with(CHANGES)).collect())
}

#[cfg(feature = "page")]
#[test]
#[ignore = "needs the lab's programs: make test"]
fn a_prometheus_that_scrapes_the_server_knows_all_that_it_says() {
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    let shop = scheduled_shop(temp.path(), "    - { mode: drill, cron: '0 0 * * *' }");
    // Days that nobody served, so that something was counted.
    began(&state, "drill", "0 0 * * *", 80);
    let mut server = Server::start(&state, &shop);
    let address = server.address();
    let config = temp.path().join("prometheus.yml");
    let text = format!(
        "scrape_configs:\n- job_name: lifeboat\n  scrape_interval: 1s\n  static_configs: [{{ targets: ['{address}'] }}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let _prometheus = Server {
        child: prometheus(temp.path(), &config, &port).spawn().unwrap(),
        state: state.clone(),
    };
    let missed = |all: &Samples| {
        let counted = all
            .iter()
            .find(|(name, _)| name.starts_with("lifeboat_due_times_total") && name.contains("missed"));
        counted.map(|(_, value)| *value)
    };
    let (said, known) = server.until("the same numbers at both", |_| {
        let said = served(&address)?;
        let known = scraped(&port)?;
        (missed(&said) >= Some(3.0) && said == known).then_some((said, known))
    });
    assert!(said.len() > 8, "{said:#?}");
    let unproven = known["lifeboat_service_state service=\"shop, state=\"never-proven"];
    assert!(unproven > 0.0, "{known:#?}");
    for (metric, kind, unit) in [
        ("lifeboat_due_times", "counter", ""),
        ("lifeboat_service_state", "gauge", ""),
        ("lifeboat_looked_timestamp_seconds", "gauge", "seconds"),
    ] {
        let meta = asked(&port, &format!("/api/v1/metadata?metric={metric}")).unwrap();
        let meta = &meta["data"][metric][0];
        assert_eq!(
            (&meta["type"], &meta["unit"]),
            (&json!(kind), &json!(unit)),
            "{meta}"
        );
        assert!(!meta["help"].as_str().unwrap().is_empty(), "{meta}");
    }
    let targets = asked(&port, "/api/v1/targets?state=active").unwrap();
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["lastError"]),
        (&json!("up"), &json!("")),
        "{target}"
    );
    assert_eq!(server.stop(), Some(0));
}
