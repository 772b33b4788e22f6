//! A runbook of as many steps as one may have, and a world that answers at once.
//!
//! A thousand applications of ten steps each. Every tenth waits for the one before it, the others for
//! that tenth: layers as real services have them, a hundred deep and ten wide.

use std::fmt::Write as _;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lifeboat::effect::{BackupSeen, Observer, Query, Seen, SiteSeen, WorkloadSeen, WorldError};
use lifeboat::objects::ObjectId;

/// How many applications.
const APPLICATIONS: usize = 1_000;

/// The steps of one application: what stands after its name and number. `@` is the number.
const STEPS: [(&str, &str); 10] = [
    (
        "a",
        "fence: {site: active, namespaces: [app@]}, modes: [switchover, failover, failback]",
    ),
    ("b", "restore: {site: standby, from: vault, namespaces: [app@]}"),
    ("c", "delete: {site: standby, object: job/app@, namespace: shop}"),
    (
        "d",
        "scale: {site: standby, namespace: shop, name: app@, replicas: \"${inputs.size}\"}",
    ),
    (
        "e",
        "wait: {site: standby, for: deploy/app@, namespace: shop, condition: available}",
    ),
    ("f", "probe: {tcp: \"app@.west:443\"}, timeout: 5m"),
    (
        "g",
        "probe: {http: \"${sites.standby.front}/${namespaces.shop}/app@\"}",
    ),
    ("h", "pause: {for: 5s, reason: \"caches of ${inputs.zone}\"}"),
    (
        "i",
        "approve: {by: [lead], question: \"Send customers of app@ to ${roles.standby}?\"}",
    ),
    (
        "j",
        "pause: {for: 1m, reason: customers to come}, retry: {attempts: 1}",
    ),
];

/// The inventory and everything of the runbook that is not a step.
const HEAD: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: {name: acme}
spec:
  sites:
    east: {embedded: {}, values: {front: http://east.embedded}}
    west: {embedded: {}, values: {front: http://west.embedded}}
  stores:
    vault: {directory: vault}
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: {name: large}
spec:
  title: Ten thousand steps
  owner: {team: commerce}
  objectives: {rto: 4h, rpo: 15m}
  roles: {active: east, standby: west}
  inputs: {size: {type: integer, default: 3, minimum: 1}, zone: {type: string, default: eu}}
  people: {lead: [anna, ben]}
  steps:
";

/// The text of the runbook: exactly `Runbook::STEPS_MAX` steps.
pub(crate) fn text() -> String {
    let mut text = HEAD.to_owned();
    for application in 0..APPLICATIONS {
        let mut before = ahead(application);
        for (letter, what) in STEPS {
            let name = format!("{letter}{application}");
            let needs = before.map_or_else(String::new, |before| format!("needs: [{before}], "));
            let what = what.replace('@', &application.to_string());
            writeln!(text, "  - {{name: {name}, {needs}{what}}}").unwrap();
            before = Some(name);
        }
    }
    text
}

/// What the first step of an application waits for.
fn ahead(application: usize) -> Option<String> {
    match application % 10 {
        0 => (application > 0).then(|| format!("j{}", application - 10)),
        place => Some(format!("e{}", application - place)),
    }
}

/// A backup that holds an object of each of these namespaces.
fn backup(namespaces: &[String]) -> BackupSeen {
    BackupSeen {
        name: "large-2026-11-22".to_owned(),
        consistent_at: jiff::Timestamp::UNIX_EPOCH,
        verified_at: Some(jiff::Timestamp::UNIX_EPOCH),
        writer: "lifeboat".to_owned(),
        objects: namespaces
            .iter()
            .map(|namespace| (namespace.clone(), 1))
            .collect(),
        archive_sha256: None,
        errors: Vec::new(),
        passed_over: Vec::new(),
    }
}

/// Answers every question at once, from memory.
pub(crate) struct Known;

impl Observer for Known {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        futures::future::ready(Ok(answer(query))).boxed()
    }
}

fn answer(query: &Query) -> Seen {
    match query {
        Query::Site { site } => Seen::Site(SiteSeen {
            uid: format!("uid of {site}"),
            version: "v1.33.0".to_owned(),
            server: format!("https://{site}.example"),
        }),
        Query::Workloads {
            namespace,
            kind,
            name,
            ..
        } => Seen::Workloads(vec![WorkloadSeen {
            id: ObjectId {
                api_version: "apps/v1".to_owned(),
                kind: kind.clone(),
                namespace: Some(namespace.clone()),
                name: name.clone().unwrap_or_default(),
            },
            replicas: 3,
        }]),
        Query::Object { .. } => Seen::Object(Some(serde_json::json!({"spec": {"suspend": false}}))),
        Query::Backup { namespaces, .. } => Seen::Backup(Some(backup(namespaces))),
        Query::Restore(_) => Seen::Restore(std::sync::Arc::default()),
        _ => Seen::Store,
    }
}
