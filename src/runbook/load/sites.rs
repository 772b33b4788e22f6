//! The inventory of sites, stores, DNS servers and receivers.

use std::collections::BTreeMap;
use std::path::Path;

use super::{join, list, named, path, spanned, text, words};
use crate::runbook::{Endpoint, KubernetesSite, S3Store, Sealing, Site, Sites, Store};
use crate::text::{Diagnostic, Diagnostics, Key, Node, codes, one_of};

/// What a server that is not AWS takes for a region when none is given; it has to be something, because
/// it is part of every signature.
const REGION: &str = "us-east-1";

/// Reads a document that has been held against the schema.
pub(super) fn read(node: &Node, folder: &Path, found: &mut Diagnostics) -> Sites {
    let mut sites = Sites {
        name: node
            .get("metadata")
            .and_then(|metadata| text(metadata, "name"))
            .unwrap_or_default(),
        ..Sites::default()
    };
    let Some(spec) = node.get("spec") else {
        return sites;
    };
    for (key, node) in named(spec, "sites", found) {
        check_one_of(key, node, &["kubernetes", "embedded"], found);
        sites
            .sites
            .extend(site(key, node, folder).map(|site| (key.value.clone(), site)));
    }
    for (key, node) in named(spec, "stores", found) {
        check_one_of(key, node, &["s3", "directory"], found);
        sites
            .stores
            .extend(store(key, node, folder, found).map(|store| (key.value.clone(), store)));
    }
    for (key, node) in named(spec, "dns", found) {
        check_one_of(key, node, &["rfc2136", "embedded"], found);
        let server = super::dns::read(key, node, folder, found);
        sites.dns.extend(server.map(|server| (key.value.clone(), server)));
    }
    for (key, node) in named(spec, "notify", found) {
        check_one_of(key, node, &["webhook", "slack", "embedded"], found);
        let receiver = super::notify::read(key, node, folder, found);
        sites
            .notify
            .extend(receiver.map(|receiver| (key.value.clone(), receiver)));
    }
    if let Some(node) = spec.get("journal") {
        sites.journal = Some(super::journal::read(node, &sites, found));
    }
    sites
}

/// Reports a map that has none or several of these keys. What is no map was reported.
pub(super) fn check_one_of(key: &Key, node: &Node, names: &[&str], found: &mut Diagnostics) {
    let present = |name: &&str| node.get(name).is_some();
    let map = matches!(node.value, crate::text::NodeValue::Mapping(_));
    let mistyped = node.entries().iter().any(|(key, _)| {
        crate::text::closest(&key.value, names.iter().copied()).is_some_and(|meant| meant != key.value)
    });
    let count = names.iter().copied().filter(|name| present(name)).count();
    if map && count != 1 && !(count == 0 && mistyped) {
        found.push(one_of(key.span, names));
    }
}

fn site(key: &Key, node: &Node, folder: &Path) -> Option<Site> {
    Some(Site {
        name: key.clone(),
        kubernetes: kubernetes(node, folder)?,
        failure_domain: words(node, "failureDomain"),
        values: values(node),
    })
}

fn kubernetes(node: &Node, folder: &Path) -> Option<KubernetesSite> {
    if let Some(embedded) = node.get("embedded") {
        let objects = words(embedded, "objects")
            .iter()
            .map(|file| join(folder, file))
            .collect();
        return Some(KubernetesSite::Embedded { objects });
    }
    let kubernetes = node.get("kubernetes")?;
    Some(KubernetesSite::Context {
        kubeconfig: path(kubernetes, "kubeconfig", folder),
        context: text(kubernetes, "context")?,
    })
}

fn values(node: &Node) -> BTreeMap<String, String> {
    let entries = node.get("values").map_or(&[] as &[_], Node::entries);
    let value = |(key, value): &(Key, Node)| Some((key.value.clone(), value.as_str()?.to_owned()));
    entries.iter().filter_map(value).collect()
}

fn store(key: &Key, node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Store> {
    let endpoint = match (node.get("s3"), path(node, "directory", folder)) {
        (Some(node), _) => Endpoint::S3(s3(node, folder)?),
        (None, directory) => Endpoint::Directory(directory?),
    };
    Some(Store {
        name: key.clone(),
        endpoint,
        failure_domain: words(node, "failureDomain"),
        seal: node.get("seal").map(|node| sealing(node, folder, found)),
    })
}

/// Whether a recipient is a key shows when the store is opened; here, what is none by its looks.
fn sealing(node: &Node, folder: &Path, found: &mut Diagnostics) -> Sealing {
    let recipients = list(node, "recipients");
    for recipient in recipients {
        if let Some(text) = recipient.as_str().filter(|text| !text.starts_with("age1")) {
            let message = if text.starts_with("AGE-SECRET-KEY") {
                "this is a secret key, and no file like this one may hold it".to_owned()
            } else {
                format!("`{text}` is not a recipient of age")
            };
            let wrong = Diagnostic::error(codes::BAD_RECIPIENT, message, recipient.span, "begins with age1");
            found.push(wrong.help("`age-keygen -y <file of identities>` prints the recipient"));
        }
    }
    if let [only] = recipients {
        let message = "everything in this store hangs on one key";
        let alone = Diagnostic::warning(codes::ONE_RECIPIENT, message, only.span, "the only recipient");
        found.push(alone.help("add a second recipient and keep its secret key offline"));
    }
    Sealing {
        recipients: words(node, "recipients"),
        identities: path(node, "identities", folder),
    }
}

fn s3(node: &Node, folder: &Path) -> Option<S3Store> {
    let mut prefix = text(node, "prefix").unwrap_or_default();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    Some(S3Store {
        bucket: spanned(node, "bucket")?.value,
        endpoint: text(node, "endpoint"),
        region: text(node, "region").unwrap_or_else(|| REGION.to_owned()),
        prefix,
        profile: text(node, "profile"),
        credentials_file: path(node, "credentialsFile", folder),
    })
}
