//! A world that is a table of answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::effect::*;
use crate::objects::ObjectId;

/// A world that answers as it is told, and remembers what it was asked.
#[derive(Default)]
pub(super) struct Table {
    pub(super) silent: Vec<&'static str>,
    pub(super) refused: bool,
    pub(super) replicas: u32,
    /// Sites whose namespaces are held.
    pub(super) held: Vec<&'static str>,
    /// Seconds for which the shop's name may be kept.
    pub(super) ttl_s: u32,
    pub(super) asked: Mutex<Vec<Query>>,
}

impl Table {
    pub(super) fn of(replicas: u32) -> Self {
        Self {
            replicas,
            ttl_s: 300,
            ..Self::default()
        }
    }

    fn answer(&self, query: &Query) -> Result<Seen, WorldError> {
        let site = |site: &String| {
            let silent = self.silent.contains(&site.as_str());
            silent.then(|| WorldError::new(ErrorKind::Unreachable, site, "connection refused"))
        };
        let error = match query {
            Query::Site { site: at }
            | Query::Object { site: at, .. }
            | Query::Workloads { site: at, .. }
            | Query::Namespaces { site: at, .. } => site(at),
            Query::Restore(effect) => site(&effect.site),
            _ => None,
        };
        match error {
            Some(error) => Err(error),
            None => Ok(self.seen(query)),
        }
    }

    /// There is one, `shop`.
    fn namespace(&self, site: &str, name: &str) -> Option<serde_json::Value> {
        let held = self.held.contains(&site);
        let labels = if held {
            serde_json::json!({ "lifeboat.dev/fenced": "true" })
        } else {
            serde_json::json!({})
        };
        (name == "shop").then(|| serde_json::json!({ "metadata": { "name": name, "labels": labels } }))
    }

    fn seen(&self, query: &Query) -> Seen {
        match query {
            Query::Site { site } => Seen::Site(SiteSeen {
                uid: format!("uid-{site}"),
                version: "v1.37.2".into(),
                server: format!("https://{site}"),
            }),
            Query::Workloads { namespace, .. } => Seen::Workloads(vec![WorkloadSeen {
                id: web(namespace),
                replicas: self.replicas,
            }]),
            Query::Namespaces { .. } => Seen::Namespaces(Vec::new()),
            Query::Backup { .. } => Seen::Backup(Some(backup())),
            Query::Restore(effect) => Seen::Restore(Arc::new(RestorePreview {
                backup: effect.backup.as_known().map(|_| backup()),
                shown: Shown {
                    prune: vec!["uid-of-a-stranger".into()],
                    replace: Vec::new(),
                },
                said: Vec::new(),
                fates: Fates::from_iter([FateOf {
                    fate: if self.refused { Fate::Refuse } else { Fate::Create },
                    id: web(effect.target_namespace("shop")),
                    why: if self.refused {
                        "its kind is not served".into()
                    } else {
                        String::new()
                    },
                    takes_from: Vec::new(),
                }]),
                ..RestorePreview::default()
            })),
            Query::Chosen { selection, .. } => Seen::Namespaces(selection.namespaces.clone()),
            Query::Inventory { .. } | Query::Prefix { .. } => Seen::Counts(Counts::default()),
            Query::Store { .. } => Seen::Store,
            Query::Object { site, id } if id.kind == "Namespace" => {
                Seen::Object(self.namespace(site, &id.name))
            }
            Query::Object { .. } => Seen::Object(None),
            Query::Manifests { .. } => Seen::Manifests(Vec::new()),
            Query::Capacity { .. } => Seen::Capacity(Box::default()),
            Query::Name { .. } => Seen::Name(Some(NameSeen {
                zone: "acme.example".parse().unwrap(),
                records: Records::addresses(&["192.0.2.10".parse().unwrap()], self.ttl_s),
                absent_s: 900,
            })),
        }
    }
}

impl Observer for Table {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        self.asked.lock().unwrap().push(query.clone());
        Box::pin(async move { self.answer(query) })
    }
}

fn web(namespace: &str) -> ObjectId {
    ObjectId {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some(namespace.into()),
        name: "web".into(),
    }
}

fn backup() -> BackupSeen {
    let at: Timestamp = "2026-11-22T23:00:00Z".parse().unwrap();
    BackupSeen {
        name: "shop-2026".into(),
        consistent_at: at,
        verified_at: Some(at),
        writer: "lifeboat".into(),
        objects: BTreeMap::from([("shop".to_owned(), 1)]),
        archive_sha256: None,
        errors: Vec::new(),
        passed_over: Vec::new(),
    }
}
