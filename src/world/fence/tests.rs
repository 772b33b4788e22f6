//! The fence at an embedded site whose requests are judged as an API server would judge them: by the policy's own
//! rule, with a cache that lags, and by who has the role's rights.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::names::{AT, NAMESPACE, OVER, POLICY, PREFIX, UNKNOWN, account, parse};
use super::objects::kind;
use super::testing::claim;
use super::{Fences, Standing, groups, install, uninstall};
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;
use crate::run::Claim;
use crate::world::port::Cluster;
use crate::world::sim::{Admission, Asked, Embedded, Objects, SimCluster};

/// What the server of the rig does, and what it was asked.
#[derive(Default)]
struct Desk {
    /// So many requests of epochs are judged by what the cache held before.
    lag: u32,
    cached: Option<Value>,
    /// Nobody answers.
    away: bool,
    /// `shop.7 create configmaps/a`, refusals with what refused them.
    log: Vec<String>,
    /// The policy refuses nobody.
    asleep: bool,
    /// Nobody gets a token.
    tokenless: bool,
}

struct Rig {
    sim: SimCluster,
    base: Arc<dyn Cluster>,
    desk: Arc<Mutex<Desk>>,
}

fn definition(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.admissionregistration.k8s.io") },
        "spec": {
            "group": "admissionregistration.k8s.io", "scope": "Cluster",
            "names": { "kind": kind, "plural": plural },
            "versions": [{ "name": "v1", "served": true, "storage": true }],
        },
    })
}

fn error(kind: ErrorKind, message: &str) -> WorldError {
    WorldError::new(kind, "east", message)
}

impl Desk {
    fn judge(&mut self, asked: &Asked<'_>, objects: Objects<'_>) -> Option<WorldError> {
        if self.away || self.tokenless && asked.verb == "token" {
            return Some(error(ErrorKind::Unreachable, "connection refused"));
        }
        let refused = self.refuse(asked, objects);
        let user = asked
            .user
            .and_then(|user| user.rsplit(':').next())
            .unwrap_or("owner");
        let word = match &refused {
            Some(error) if error.message.contains(OVER) => " (over)",
            Some(error) if error.message.contains(UNKNOWN) => " (unknown)",
            Some(_) => " (no right)",
            None => "",
        };
        let what = [asked.resource, asked.name].join("/");
        self.log.push(format!("{user} {} {what}{word}", asked.verb));
        refused
    }

    fn refuse(&mut self, asked: &Asked<'_>, objects: Objects<'_>) -> Option<WorldError> {
        let name = asked.user?.rsplit(':').next()?;
        let reads = matches!(asked.verb, "get" | "list" | "identity" | "discover" | "may");
        let witness = asked.verb == "check" && asked.namespace == NAMESPACE;
        if objects("clusterrolebindings.rbac.authorization.k8s.io", "", name).is_none() && !witness {
            return Some(error(
                ErrorKind::Forbidden,
                &format!("{name} cannot {} {}", asked.verb, asked.resource),
            ));
        }
        let installed = objects(
            "validatingadmissionpolicybindings.admissionregistration.k8s.io",
            "",
            POLICY,
        );
        if reads || self.asleep || installed.is_none() || !name.starts_with(PREFIX) {
            return None;
        }
        let policies = "validatingadmissionpolicies.admissionregistration.k8s.io";
        let now = objects(policies, "", POLICY).unwrap_or_default();
        let known = match &self.cached {
            Some(cached) if self.lag > 0 => {
                self.lag -= 1;
                cached.clone()
            }
            _ => now,
        };
        // As the server does: by what the policy compares with, not by its note.
        let epochs = known["spec"]["variables"][1]["expression"]
            .as_str()
            .unwrap_or_default();
        let least = |group: &str| -> Option<u64> {
            let (_, after) = epochs.split_once(&format!("'{group}': "))?;
            after.split([',', '}']).next()?.parse().ok()
        };
        let why = match parse(name).map(|(group, epoch)| (group, epoch, least(group))) {
            Some((_, epoch, Some(least))) if epoch >= least => return None,
            Some((group, epoch, Some(least))) => format!("{OVER}: {group}{AT}{least}, and this is {epoch}"),
            Some((_, _, None)) | None => UNKNOWN.to_owned(),
        };
        let message =
            format!("ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' denied request: {why}");
        Some(error(ErrorKind::Rejected, &message))
    }
}

impl Rig {
    fn new() -> Self {
        let world = Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_site("east");
        let sim = world.cluster("east").unwrap().clone();
        let definitions = [
            definition("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
            definition(
                "ValidatingAdmissionPolicyBinding",
                "validatingadmissionpolicybindings",
            ),
        ];
        sim.seed(&definitions).unwrap();
        let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        sim.seed([&shop]).unwrap();
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let judge = desk.clone();
        let admission: Admission =
            Arc::new(move |asked, objects| judge.lock().unwrap().judge(asked, objects));
        sim.judged_by(admission);
        Self {
            base: Arc::new(sim.clone()),
            sim,
            desk,
        }
    }

    async fn installed() -> Self {
        let rig = Self::new();
        install(&rig.base, "east", NAMESPACE).await.unwrap();
        rig.heard();
        rig
    }

    /// A process of its own.
    fn process(&self) -> (Fences, Arc<dyn Cluster>) {
        let mut fences = Fences::default();
        let east = fences.around("east", self.base.clone());
        (fences, east)
    }

    /// What was asked since the last time.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.desk.lock().unwrap().log)
    }

    /// So many requests of epochs are judged by the policy as it is now.
    fn lags(&self, requests: u32) {
        let epochs = self.sim.peek(&kind("ValidatingAdmissionPolicy"), None, POLICY);
        let mut desk = self.desk.lock().unwrap();
        desk.cached = epochs;
        desk.lag = requests;
    }
}

async fn raised(fences: &Fences, claim: &Claim) -> Result<String, WorldError> {
    let raised = fences.raising(["east"], |_| false).raise(claim).await?;
    Ok(raised["east"].clone())
}

fn settings(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}})
}

async fn write(east: &Arc<dyn Cluster>, name: &str) -> Result<Value, WorldError> {
    east.create(&builtin("ConfigMap").unwrap(), &settings(name)).await
}

#[tokio::test(start_paused = true)]
async fn accounts_then_the_epoch_then_the_proof_then_the_first_effect() {
    let rig = Rig::installed().await;
    let (fences, east) = rig.process();
    assert_eq!(
        raised(&fences, &claim("shop", 7)).await.unwrap(),
        "enforced by the API server"
    );
    write(&east, "a").await.unwrap();
    let changes: Vec<String> = rig
        .heard()
        .into_iter()
        .filter(|line| !line.contains(" get ") && !line.contains(" list "))
        .collect();
    insta::assert_snapshot!(changes.join("\n"), @r"
    owner create serviceaccounts/lifeboat.shop.6
    owner create serviceaccounts/lifeboat.shop.7
    owner create clusterrolebindings.rbac.authorization.k8s.io/lifeboat.shop.7
    owner patch validatingadmissionpolicies.admissionregistration.k8s.io/lifeboat-fence
    owner token serviceaccounts/lifeboat.shop.6
    lifeboat.shop.6 check configmaps/lifeboat.witness (over)
    owner token serviceaccounts/lifeboat.shop.7
    lifeboat.shop.7 check configmaps/lifeboat.witness
    lifeboat.shop.7 identity /
    lifeboat.shop.7 create configmaps/a
    ");
}

#[tokio::test(start_paused = true)]
async fn while_the_policy_lags_the_proof_is_waited_for() {
    let rig = Rig::installed().await;
    let (old, _) = rig.process();
    raised(&old, &claim("shop", 6)).await.unwrap();
    rig.heard();
    rig.lags(5);
    let (fences, east) = rig.process();
    raised(&fences, &claim("shop", 7)).await.unwrap();
    write(&east, "a").await.unwrap();
    let heard = rig.heard();
    let at = |line: &str| heard.iter().position(|one| one == line).unwrap();
    let accepted = "lifeboat.shop.6 check configmaps/lifeboat.witness";
    assert_eq!(
        heard.iter().filter(|line| *line == accepted).count(),
        5,
        "{heard:#?}"
    );
    let refused = at(&format!("{accepted} (over)"));
    assert!(refused < at("lifeboat.shop.7 create configmaps/a"), "{heard:#?}");
    let taken = at("owner delete clusterrolebindings.rbac.authorization.k8s.io/lifeboat.shop.6");
    assert!(refused < taken, "rights go after the proof: {heard:#?}");
}

/// The server took the policy up last when it did not know the group, and refuses all of its epochs for that: next it
/// may take up the epoch in between.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_does_not_name_the_new_epoch_proves_nothing() {
    let rig = Rig::installed().await;
    rig.lags(5);
    let (fences, east) = rig.process();
    raised(&fences, &claim("shop", 7)).await.unwrap();
    write(&east, "a").await.unwrap();
    let heard = rig.heard();
    let witness = "lifeboat.shop.6 check configmaps/lifeboat.witness";
    let count = |line: String| heard.iter().filter(|one| **one == line).count();
    assert_eq!(count(format!("{witness} (unknown)")), 5, "{heard:#?}");
    assert_eq!(count(format!("{witness} (over)")), 1, "{heard:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_refuses_nobody_is_no_fence_and_nothing_is_begun() {
    let rig = Rig::installed().await;
    rig.desk.lock().unwrap().asleep = true;
    let (fences, east) = rig.process();
    let error = raised(&fences, &claim("shop", 7)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotYet);
    insta::assert_snapshot!(error, @"east: the fence is not proved: within 30 s lifeboat.shop.6 was not refused: its write was accepted");
    assert!(
        error.hints[0].contains("lifeboat fence install --site east"),
        "{error:?}"
    );
    assert!(
        write(&east, "a").await.is_err(),
        "no request passes an unproved fence"
    );
    let standing = fences.standing(["east"], Some("shop")).await;
    assert!(matches!(standing["east"], Standing::Broken(_)), "{standing:?}");
}

#[tokio::test(start_paused = true)]
async fn an_overtaken_process_is_refused_by_the_server_and_sends_nothing_more() {
    let rig = Rig::installed().await;
    let (old, before) = rig.process();
    raised(&old, &claim("shop", 6)).await.unwrap();
    write(&before, "a").await.unwrap();
    let (new, after) = rig.process();
    raised(&new, &claim("shop", 7)).await.unwrap();
    rig.heard();
    let error = write(&before, "b").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Overtaken, "{error}");
    insta::assert_snapshot!(error, @"east: epoch 6 of shop is over: the site is at epoch 7 (shop-f-7, carried by anna on desk since 1970-01-01T00:00:00Z)");
    assert!(
        rig.sim
            .peek(&builtin("ConfigMap").unwrap(), Some("shop"), "b")
            .is_none()
    );
    let asked = rig.heard();
    assert!(
        asked[0].starts_with("lifeboat.shop.6 create configmaps/b ("),
        "the server refused it: {asked:?}"
    );
    let again = before
        .get(&builtin("ConfigMap").unwrap(), Some("shop"), "a")
        .await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Overtaken);
    assert!(rig.heard().is_empty(), "nothing is sent any more");
    write(&after, "b").await.unwrap();
    assert_eq!(old.over().unwrap().kind, ErrorKind::Overtaken);
    assert!(new.over().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_site_at_a_higher_epoch_refuses_a_late_starter_who_changes_nothing() {
    let rig = Rig::installed().await;
    let (new, _) = rig.process();
    raised(&new, &claim("shop", 9)).await.unwrap();
    let before = rig.sim.audit().len();
    let (late, east) = rig.process();
    for epoch in [8, 9] {
        let mut late_claim = claim("shop", epoch);
        late_claim.nonce = "another".into();
        let error = raised(&late, &late_claim).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Overtaken, "{error}");
        assert_eq!(write(&east, "a").await.unwrap_err().kind, ErrorKind::Overtaken);
    }
    let made: Vec<_> = rig.sim.audit().split_off(before);
    assert!(made.is_empty(), "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn groups_have_epochs_of_their_own() {
    let rig = Rig::installed().await;
    let (shop, one) = rig.process();
    raised(&shop, &claim("shop", 2)).await.unwrap();
    let (other, two) = rig.process();
    raised(&other, &claim("shop-2", 41)).await.unwrap();
    write(&one, "a").await.unwrap();
    write(&two, "b").await.unwrap();
    raised(&rig.process().0, &claim("shop-2", 42)).await.unwrap();
    write(&one, "c").await.unwrap();
    assert_eq!(write(&two, "d").await.unwrap_err().kind, ErrorKind::Overtaken);
    let known = groups(&rig.base, "east").await.unwrap().unwrap();
    let known: Vec<(String, u64)> = known
        .into_iter()
        .map(|(group, known)| (group, known.epoch))
        .collect();
    assert_eq!(known, [("shop".to_owned(), 2), ("shop-2".to_owned(), 42)]);
}

#[tokio::test(start_paused = true)]
async fn a_site_without_a_fence_is_as_it_was() {
    let rig = Rig::new();
    let (fences, east) = rig.process();
    assert_eq!(
        raised(&fences, &claim("shop", 7)).await.unwrap(),
        "advisory (policy not installed)"
    );
    write(&east, "a").await.unwrap();
    let heard = rig.heard();
    assert_eq!(heard.last().unwrap(), "owner create configmaps/a");
    assert_eq!(rig.sim.audit().len(), 1, "nothing else was changed: {heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_silent_is_fenced_before_its_first_request() {
    let rig = Rig::installed().await;
    rig.desk.lock().unwrap().away = true;
    let (fences, east) = rig.process();
    let word = raised(&fences, &claim("shop", 7)).await.unwrap();
    assert!(word.starts_with("raised before its first request"), "{word}");
    assert_eq!(write(&east, "a").await.unwrap_err().kind, ErrorKind::Unreachable);
    rig.desk.lock().unwrap().away = false;
    write(&east, "a").await.unwrap();
    let heard = rig.heard();
    let refused = heard.iter().position(|line| line.ends_with("(over)")).unwrap();
    let first = heard
        .iter()
        .position(|line| line == "lifeboat.shop.7 create configmaps/a")
        .unwrap();
    assert!(refused < first, "{heard:#?}");
}

#[tokio::test(start_paused = true)]
async fn tokens_are_asked_for_anew_at_half_of_their_time_and_a_failure_of_that_is_borne() {
    let rig = Rig::installed().await;
    let (fences, east) = rig.process();
    raised(&fences, &claim("shop", 7)).await.unwrap();
    rig.heard();
    let tokens = |heard: Vec<String>| heard.iter().filter(|line| line.contains(" token ")).count();
    let mut wrote = 0;
    for (minutes, asked) in [(7, 0), (1, 1), (7, 0), (1, 1)] {
        tokio::time::advance(Duration::from_mins(minutes)).await;
        wrote += 1;
        write(&east, &format!("a-{wrote}")).await.unwrap();
        assert_eq!(tokens(rig.heard()), asked, "after {minutes} minutes more");
    }
    rig.desk.lock().unwrap().tokenless = true;
    tokio::time::advance(Duration::from_mins(8)).await;
    write(&east, "b").await.unwrap();
    tokio::time::advance(Duration::from_mins(8)).await;
    let error = write(&east, "c").await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Unreachable,
        "the old token has ended: {error}"
    );
    rig.desk.lock().unwrap().tokenless = false;
    write(&east, "c").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_installed_is_taken_away_and_installed_again_without_losing_epochs() {
    let rig = Rig::installed().await;
    let (fences, _) = rig.process();
    raised(&fences, &claim("shop", 7)).await.unwrap();
    let again = install(&rig.base, "east", NAMESPACE).await.unwrap();
    assert!(again.iter().all(|line| line.starts_with("is there")), "{again:?}");
    let standing = fences.standing(["east"], Some("shop")).await;
    assert_eq!(standing["east"].epoch(), 7, "{standing:?}");
    let error = install(&rig.base, "east", "elsewhere").await.unwrap_err();
    insta::assert_snapshot!(error, @"east: its fence is in namespace lifeboat-system");
    let gone = uninstall(&rig.base, "east", NAMESPACE).await.unwrap();
    assert!(gone[0].contains(&account("shop", 7)), "rights go first: {gone:?}");
    assert!(
        gone.iter().any(|title| title == "Namespace lifeboat-system"),
        "{gone:?}"
    );
    assert_eq!(groups(&rig.base, "east").await.unwrap(), None);
    let standing = fences.standing(["east"], Some("shop")).await;
    assert_eq!(standing["east"].to_string(), "advisory (policy not installed)");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_and_is_not_ours_is_left_alone() {
    let rig = Rig::new();
    let foreign = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "lifeboat-epoch"}, "rules": []});
    rig.sim.seed([&foreign]).unwrap();
    let error = install(&rig.base, "east", NAMESPACE).await.unwrap_err();
    insta::assert_snapshot!(error, @"east: ClusterRole lifeboat-epoch is there and is not lifeboat's");
    assert!(rig.sim.audit().is_empty());
}
