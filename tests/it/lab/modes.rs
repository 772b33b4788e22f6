//! What is selected, what becomes of objects that are there already, what is sealed, and what is done around
//! a backup: each on real API servers and a real S3 server, by the command line alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::audit::Log;
use super::{Lab, one_line};

fn config_map(lab: &Lab, site: &str, namespace: &str, name: &str, more: &Value) {
    let mut object =
        json!({ "metadata": { "name": name, "labels": more["labels"] }, "data": { "of": more["of"] } });
    if more["immutable"] == true {
        object["immutable"] = json!(true);
    }
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    lab.ask(site, "POST", &path, Some(&object)).unwrap();
}

/// What a ConfigMap of `west` holds; `None`: it is not there.
fn held(lab: &Lab, namespace: &str, name: &str) -> Option<String> {
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
    let found = lab.ask("west", "GET", &path, None).ok()?;
    Some(found["data"]["of"].as_str().unwrap().to_owned())
}

/// Restores to `west`; what was said.
fn restore(lab: &Lab, name: &str, from: &str, more: &[&str], code: i32) -> String {
    let args = [
        "restore",
        name,
        "--from",
        from,
        "--to",
        "west",
        "--objects",
        "--confirm",
        "west target",
    ];
    let output = lab.expect(code, &[&args[..], more].concat());
    format!("{} {}", one_line(&output.stderr), one_line(&output.stdout))
}

#[test]
#[ignore = "needs the lab: make test"]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each part on what the part before left"
)]
fn what_is_selected_and_what_becomes_of_what_is_there() {
    let lab = Lab::start();
    for name in ["sel-a", "sel-b", "sel-c"] {
        let namespace = json!({ "metadata": { "name": name } });
        lab.ask("east", "POST", "/api/v1/namespaces", Some(&namespace))
            .unwrap();
        config_map(
            &lab,
            "east",
            name,
            "web",
            &json!({ "of": "v1", "labels": { "tier": "web" } }),
        );
        let excluded = json!({ "of": "v1", "labels": { "velero.io/exclude-from-backup": "true" } });
        config_map(&lab, "east", name, "excluded", &excluded);
    }
    config_map(
        &lab,
        "east",
        "sel-a",
        "frozen",
        &json!({ "of": "v1", "immutable": true }),
    );
    let some = ["--namespaces", "sel-*", "--exclude-namespaces", "sel-c"];
    let first = lab.backup("vault", &some);
    let labelled = ["--namespaces", "sel-*", "--labels", "tier=web", "--name", "web"];
    let web = lab.backup("vault", &labelled);
    let shown = lab.expect(0, &["backup", "show", &web, "--store", "vault", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["kinds"]["configmaps"], 3, "{shown}");

    // Live, and against another backup.
    lab.expect(
        0,
        &["backup", "diff", &first, "--live", "east", "--store", "vault"],
    );
    let change = json!({ "data": { "of": "v2" } });
    lab.ask(
        "east",
        "PATCH",
        "/api/v1/namespaces/sel-b/configmaps/web",
        Some(&change),
    )
    .unwrap();
    let second = lab.backup("vault", &some);
    let compare: [&[&str]; 2] = [&["--live", "east"], &[&second]];
    for with in compare {
        let args = [&["backup", "diff", &first, "--store", "vault"], with].concat();
        let said = one_line(&lab.expect(3, &args).stdout);
        assert!(
            said.contains("~ ConfigMap sel-b/web") && said.contains("data.of"),
            "{said}"
        );
        assert!(said.contains("0 added, 0 removed, 1 changed"), "{said}");
    }

    // Into nothing.
    let said = restore(&lab, &first, "vault", &[], 0);
    assert!(said.contains("create sel-a/frozen"), "{said}");
    assert_eq!(held(&lab, "sel-b", "web").as_deref(), Some("v1"));
    assert_eq!(held(&lab, "sel-a", "excluded"), None);
    assert!(lab.ask("west", "GET", "/api/v1/namespaces/sel-c", None).is_err());

    // Something is there already.
    let web = "/api/v1/namespaces/sel-a/configmaps/web";
    lab.ask("west", "PATCH", web, Some(&json!({ "data": { "of": "mine" } })))
        .unwrap();
    config_map(&lab, "west", "sel-a", "stranger", &json!({ "of": "nobody" }));
    let said = restore(&lab, &first, "vault", &[], 0);
    assert!(
        said.contains("keep sel-a/web: differs at data.of, and is left as it is"),
        "{said}"
    );
    assert!(said.contains("equal sel-b/web"), "{said}");
    assert_eq!(held(&lab, "sel-a", "web").as_deref(), Some("mine"));
    let said = restore(&lab, &first, "vault", &["--existing", "update"], 0);
    assert!(said.contains("sel-a/web: differs at data.of"), "{said}");
    assert_eq!(held(&lab, "sel-a", "web").as_deref(), Some("v1"));

    // What cannot be changed in place.
    let frozen = "/api/v1/namespaces/sel-a/configmaps/frozen";
    lab.ask("west", "DELETE", frozen, None).unwrap();
    config_map(
        &lab,
        "west",
        "sel-a",
        "frozen",
        &json!({ "of": "mine", "immutable": true }),
    );
    let uid = |lab: &Lab| lab.ask("west", "GET", frozen, None).unwrap()["metadata"]["uid"].clone();
    let before = uid(&lab);
    restore(&lab, &first, "vault", &["--existing", "replace"], 0);
    assert_eq!(held(&lab, "sel-a", "frozen").as_deref(), Some("v1"));
    assert_ne!(uid(&lab), before);
    assert_eq!(held(&lab, "sel-a", "stranger").as_deref(), Some("nobody"));

    // What the backup does not hold.
    let changes = lab.audit("west").changes().len();
    let refused = ["--existing", "prune", "--prune-max", "0"];
    let args = [
        "restore",
        &first,
        "--from",
        "vault",
        "--to",
        "west",
        "--confirm",
        "west target",
    ];
    let output = lab.lifeboat(&[&args[..], &refused].concat()).output().unwrap();
    assert!(
        matches!(output.status.code(), Some(2 | 5)),
        "{}",
        one_line(&output.stderr)
    );
    assert_eq!(lab.audit("west").changes().len(), changes, "nothing was changed");
    let said = restore(&lab, &first, "vault", &["--existing", "prune"], 0);
    assert!(said.contains("sel-a/stranger"), "{said}");
    assert_eq!(held(&lab, "sel-a", "stranger"), None);
    let log = lab.audit("west");
    let deleted: Vec<_> = log
        .changes()
        .into_iter()
        .filter(|event| event["verb"] == "delete")
        .map(Log::line)
        .collect();
    let expected = [
        "delete configmaps sel-a/frozen 200",
        "delete configmaps sel-a/stranger 200",
    ];
    assert_eq!(deleted, expected);
}

#[cfg(feature = "seal")]
#[test]
#[ignore = "needs the lab: make test"]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each part on what the part before left"
)]
fn a_sealed_store_in_s3_is_read_by_whoever_has_a_key_and_by_nobody_else() {
    use age::secrecy::ExposeSecret as _;

    let lab = Lab::start();
    let keys = [
        age::x25519::Identity::generate(),
        age::x25519::Identity::generate(),
    ];
    let recipients: Vec<String> = keys.iter().map(|key| key.to_public().to_string()).collect();
    let file = lab.dir().join("key.txt");
    std::fs::write(&file, keys[1].to_string().expose_secret()).unwrap();
    let fact = |name: &str| {
        lab.fact(&format!("/stores/vault/{name}"))
            .as_str()
            .unwrap()
            .to_owned()
    };
    let at = json!({ "bucket": fact("bucket"), "endpoint": fact("endpoint"), "region": fact("region"),
        "prefix": "sealed/", "profile": fact("profile"), "credentialsFile": "credentials" });
    let sites = lab.dir().join("sites.yaml");
    let text = std::fs::read_to_string(&sites).unwrap();
    let recipients = json!(recipients);
    let more = format!(
        "    sealed: {{ s3: {at}, seal: {{ recipients: {recipients}, identities: key.txt }} }}\n    \
         blind: {{ s3: {at}, seal: {{ recipients: {recipients} }} }}\n"
    );
    std::fs::write(&sites, format!("{}\n{more}", text.trim_end())).unwrap();

    // By a machine that can only write, and proved by one that can read.
    lab.expect(
        0,
        &[
            "backup",
            "create",
            "--site",
            "east",
            "--namespaces",
            "shop",
            "--to",
            "blind",
        ],
    );
    let shelf = lab.shelf("sealed");
    let name = shelf["backups"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(shelf["backups"][0]["state"], "not-verified");
    lab.expect(0, &["backup", "verify", &name, "--store", "sealed"]);
    let said = one_line(&lab.expect(0, &["backups", "--store", "sealed"]).stdout);
    assert!(
        said.contains("read by lifeboat only; not locked; encrypted"),
        "{said}"
    );

    // What lies on the server's disk is age's, all of it.
    let folder = lab
        .dir()
        .join("vault/objects")
        .join(fact("bucket"))
        .join("sealed");
    let mut open = vec![folder];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files += 1;
                let bytes = std::fs::read(&path).unwrap();
                assert!(bytes.starts_with(b"age-encryption.org/v1"), "{}", path.display());
            }
        }
    }
    assert!(files >= 8, "{files}");
    restore(&lab, &name, "sealed", &[], 0);
    let secret = lab
        .ask("west", "GET", "/api/v1/namespaces/shop/secrets/db", None)
        .unwrap();
    let there = lab
        .ask("east", "GET", "/api/v1/namespaces/shop/secrets/db", None)
        .unwrap();
    assert_eq!(secret["data"], there["data"]);
}

const QUIESCED: &str = "
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: quiesced }
spec:
  title: Shop, stopped for its backup
  roles: { active: east, standby: west }
  steps:
    - name: flush
      modes: [protect]
      exec: { site: active, namespace: shop, in: deployment/web, command: [\"true\"], repeatable: true }
      timeout: 1m
      on_failure: continue
    - name: healthy
      modes: [protect]
      needs: [flush]
      probe: { http: \"${sites.active.front}/shop/healthz\", expect: { status: 200 } }
      timeout: 1m
      on_failure: stop
    - name: freeze
      modes: [protect]
      needs: [healthy]
      http: { url: \"DESK/freeze\", json: { why: backup }, repeatable: true }
      timeout: 1m
      on_failure: stop
    - name: quiesce
      modes: [protect]
      needs: [freeze]
      scale: { site: active, namespace: shop, name: web, replicas: 0 }
      timeout: 2m
      on_failure: stop
    - name: capture
      modes: [protect]
      needs: [quiesce]
      backup: { site: active, namespaces: [shop], to: vault BUT }
      timeout: 5m
      on_failure: stop
    - name: resume
      finally: true
      modes: [protect]
      scale: { site: active, namespace: shop, name: web, replicas: 3 }
      timeout: 2m
    - name: thaw
      finally: true
      modes: [protect]
      needs: [resume]
      http: { url: \"DESK/thaw\", repeatable: true }
      timeout: 1m
";

/// Who is told of a backup: keeps when which request came, and whether with a key.
struct Desk {
    url: String,
    came: Arc<Mutex<Vec<(jiff::Timestamp, String)>>>,
}

impl Desk {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let head: Vec<String> = reader
                    .by_ref()
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let header = |name: &str| {
                    let line = head.iter().find(|line| line.to_lowercase().starts_with(name))?;
                    Some(line[name.len()..].trim().to_owned())
                };
                let length = header("content-length:").map_or(0, |length| length.parse().unwrap());
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let keyed = header("idempotency-key:").is_some_and(|key| key.len() == 32);
                let line = head[0].trim_end_matches(" HTTP/1.1");
                let line = if keyed {
                    line.to_owned()
                } else {
                    format!("{line} without a key")
                };
                kept.lock().unwrap().push((jiff::Timestamp::now(), line));
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { url, came }
    }
}

/// Positions in the API server's log: the sizes asked for, the program that was run, the backup's reading.
/// Between them what the desk was told, by the one clock of this machine.
fn around(lab: &Lab, desk: &Desk) -> Vec<String> {
    let log = lab.audit("east");
    let word = |event: &&Value| {
        let sub = event.pointer("/objectRef/subresource").and_then(Value::as_str);
        let (verb, resource) = (&event["verb"], &event["objectRef"]["resource"]);
        match sub {
            Some("exec") => Some("exec".to_owned()),
            Some("scale") if verb == "patch" => {
                Some(format!("scale {}", event["requestObject"]["spec"]["replicas"]))
            }
            None if verb == "list" && resource == "secrets" => Some("read".to_owned()),
            _ => None,
        }
    };
    let of_server = log
        .of_tool()
        .filter_map(|event| Some((Log::arrived(event), word(&event)?)));
    let mut all: Vec<(jiff::Timestamp, String)> = of_server.collect();
    all.extend(desk.came.lock().unwrap().clone());
    all.sort();
    let mut words: Vec<String> = all.into_iter().map(|(_, word)| word).collect();
    words.dedup();
    // The plan has looked too.
    words.into_iter().skip_while(|word| word == "read").collect()
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_stands_around_a_backup_is_done_before_and_after_it_however_it_goes() {
    let lab = Lab::start();
    let runbook = lab.dir().join("quiesced.yaml");
    let path = runbook.to_str().unwrap().to_owned();
    let desk = Desk::open();
    let quiesced = QUIESCED.replace("DESK", &desk.url);
    std::fs::write(&runbook, quiesced.replace(" BUT", "")).unwrap();
    lab.expect(0, &["protect", &path]);
    assert_eq!(
        around(&lab, &desk),
        ["exec", "POST /freeze", "scale 0", "read", "scale 3", "POST /thaw"]
    );
    assert_eq!(lab.names("vault").len(), 1);

    // The store takes no locked object, which only the first write shows.
    let lock = ", lock: { mode: governance, for: 1h }";
    std::fs::write(&runbook, quiesced.replace(" BUT", lock)).unwrap();
    lab.expect(3, &["protect", &path]);
    let words = around(&lab, &desk);
    assert_eq!(words[words.len() - 2..], ["scale 3", "POST /thaw"], "{words:?}");
    assert_eq!(
        words.iter().filter(|word| *word == "scale 0").count(),
        2,
        "{words:?}"
    );
    // The server keeps the bytes of a write that it has refused. They are told, and are no backup.
    let shelf = lab.shelf("vault");
    let states = shelf["backups"].as_array().unwrap().iter();
    let mut states: Vec<&str> = states.map(|one| one["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["unfinished", "verified"]);
    let web = lab
        .ask(
            "east",
            "GET",
            "/apis/apps/v1/namespaces/shop/deployments/web",
            None,
        )
        .unwrap();
    assert_eq!(web["spec"]["replicas"], 3);
}
