//! A restore by hand: fetch the archive, take the objects out, clean them, apply them.

use super::Params;
use crate::step::hands::in_words;
use crate::step::{Hand, Place};
use crate::text::{Text, shell_word};

/// What has to go before another cluster takes an object, and what it makes by itself.
const CLEAN: &str = r#"select(.metadata.ownerReferences == null and .kind != "Endpoints" and .metadata.name != "kube-root-ca.crt") | del(.metadata["uid","resourceVersion","creationTimestamp","generation","managedFields"], .status, .spec.clusterIP?, .spec.clusterIPs?, .spec.volumeName?)"#;

/// A backup's place in a store, where the person puts its name in.
const BACKUP: &str = "\"$BACKUP\"";

pub(super) fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
    let mut hands = vec![Hand::say(match params.backup.as_known().as_deref() {
        Some("latest-verified") => "Choose the newest backup that is known to be whole. Its name ends in the time at which it was made:".to_owned(),
        Some("latest") => "Choose the newest backup. Its name ends in the time at which it was made:".to_owned(),
        _ => format!("Take the backup {}:", in_words(&params.backup)),
    })];
    hands.extend(fetch(params, place));
    hands.push(Hand::say(
        "What a cluster has to know first (definitions of custom kinds, classes) has to be there; what of it the backup holds is in by-hand/resources/*/cluster.",
    ));
    hands.extend(limits(params).into_iter().map(Hand::Say));
    hands.push(Hand::say("Then, for each namespace:"));
    for namespace in &params.namespaces {
        hands.extend(apply(&namespace.0, &place.kubectl(&params.site.0, None)));
    }
    hands.push(Hand::say(
        "Errors name objects that need another one: run the last command again until nothing changes. Services of type LoadBalancer and CronJobs begin to act as soon as they are there.",
    ));
    hands
}

/// One namespace, or those that a pattern stands for.
fn apply(namespace: &str, kubectl: &str) -> [Hand; 2] {
    let create = if namespace.contains('*') {
        format!(
            "ls -d by-hand/resources/*/namespaces/{namespace} | xargs -n1 basename | sort -u | xargs -n1 {kubectl} create namespace"
        )
    } else {
        format!("{kubectl} create namespace {}", shell_word(namespace))
    };
    let apply = format!(
        "find by-hand/resources -path '*/namespaces/{namespace}/*.json' ! -path '*-preferredversion/*' -exec jq {} {{}} + | {kubectl} apply -f -",
        shell_word(CLEAN)
    );
    [Hand::Run(create), Hand::Run(apply)]
}

/// What the step does and the commands do not.
fn limits(params: &Params) -> Vec<String> {
    let names = |all: &[crate::step::select::KindName]| {
        let names: Vec<&str> = all.iter().map(|kind| kind.0.as_str()).collect();
        names.join(", ")
    };
    let mut all = Vec::new();
    if !params.kinds.is_empty() {
        all.push(format!(
            "Take only these kinds, which are folders below by-hand/resources: {}.",
            names(&params.kinds)
        ));
    }
    if !params.exclude.is_empty() {
        all.push(format!(
            "Delete these folders below by-hand/resources first: {}.",
            names(&params.exclude)
        ));
    }
    if !params.labels.is_empty() {
        all.push("Take only objects with the labels that the runbook names.".to_owned());
    }
    if !params.exclude_namespaces.is_empty() {
        all.push("Leave out the namespaces that the runbook names under excludeNamespaces.".to_owned());
    }
    all.extend(
        params
            .map
            .in_words()
            .into_iter()
            .map(|change| format!("Change it in the files before you apply them: {change}.")),
    );
    if !params.change.is_empty() || params.modifiers.is_some() {
        all.push("Make the changes that the runbook names under change and modifiers in the files before you apply them.".to_owned());
    }
    all
}

/// From the store to a folder `by-hand`.
fn fetch(params: &Params, place: &Place<'_>) -> Vec<Hand> {
    let store = &params.from.0;
    let root = place.store_root(store);
    let backups = shell_word(&format!("{root}backups/"));
    let known = params.backup.as_known();
    let named = known.filter(|name| !name.starts_with("latest"));
    let name = named.map_or_else(
        || "<name>".to_owned(),
        |name| shell_word(&Text::known(name).to_string()),
    );
    let (open, sealed) = place
        .unseal(store)
        .map_or_else(Default::default, |open| (format!(" | {open}"), ".age"));
    let archive = format!("{backups}{BACKUP}/{BACKUP}.tar.gz{sealed}");
    let (list, read) = match place.store_tool(store) {
        Some(tool) => (format!("{tool} ls {backups}"), format!("{tool} cp {archive} -")),
        None => (format!("ls {backups}"), format!("cat {archive}")),
    };
    vec![
        Hand::run(list),
        Hand::run(format!("BACKUP={name}")),
        Hand::run(format!("mkdir -p by-hand && {read}{open} | tar -xz -C by-hand")),
    ]
}
