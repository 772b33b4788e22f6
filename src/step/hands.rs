//! How a step is done by hand, when lifeboat is not there: sentences and commands of tools that every
//! operator has.
//!
//! ## Why
//!
//! A continuity plan that can only be carried out by one program is void when that program is lost with
//! the site that it ran on. So every kind of step has to say how a person does the same, from its
//! parameters alone, without a network.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Scene;
use crate::runbook::{Endpoint, KubernetesSite, Runbook, Sites};
use crate::text::{Piece, Text, shell_word};

/// One thing that a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    /// In words: whole sentences.
    Say(String),
    /// A command line for a POSIX shell.
    Run(String),
}

/// Where a step stands, for who does it by hand.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// The inventory.
    pub sites: &'a Sites,
    /// The step's name.
    pub step: &'a str,
    /// The time that it is given, in milliseconds.
    pub timeout_ms: u64,
}

impl Hand {
    pub(super) fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }

    pub(super) fn run(text: impl Into<String>) -> Self {
        Self::Run(text.into())
    }
}

impl Place<'_> {
    /// Where the step stands for [`super::StepKind::queries`]: a document knows no backups of a run.
    pub fn scene<'s>(&'s self, backups: &'s BTreeMap<String, String>) -> Scene<'s> {
        Scene {
            runbook: &self.runbook.name.value,
            folder: &self.runbook.folder,
            step: self.step,
            backups,
        }
    }

    /// `kubectl --context west`, and in a namespace `… -n shop`.
    pub(super) fn kubectl(&self, site: &str, namespace: Option<&str>) -> String {
        let mut command = "kubectl".to_owned();
        match self.sites.sites.get(site).map(|site| &site.kubernetes) {
            Some(KubernetesSite::Context { kubeconfig, context }) => {
                if let Some(file) = kubeconfig {
                    let _ = write!(
                        command,
                        " --kubeconfig {}",
                        shell_word(&file.display().to_string())
                    );
                }
                let _ = write!(command, " --context {}", shell_word(context));
            }
            Some(KubernetesSite::Embedded { .. }) | None => {
                let _ = write!(command, " --context {}", shell_word(site));
            }
        }
        if let Some(namespace) = namespace {
            let _ = write!(command, " -n {}", shell_word(namespace));
        }
        command
    }

    /// `5m`, as kubectl takes it.
    pub(super) fn timeout(&self) -> String {
        crate::text::Millis(self.timeout_ms).to_string()
    }

    /// `incident-commander (anna, ben)`.
    pub(super) fn people(&self, roles: &[&str]) -> String {
        if roles.is_empty() {
            return "anybody who gives a name".to_owned();
        }
        let one = |role: &&str| match self.runbook.people.get(*role) {
            Some(names) if !names.is_empty() => format!("{role} ({})", names.join(", ")),
            _ => (*role).to_owned(),
        };
        roles.iter().map(one).collect::<Vec<_>>().join(" or ")
    }

    /// Where a store's keys begin: `s3://acme-vault/shop/`, `./vault/`.
    pub(super) fn store_root(&self, store: &str) -> String {
        match self.sites.stores.get(store).map(|store| &store.endpoint) {
            Some(Endpoint::S3(s3)) => format!("s3://{}/{}", s3.bucket, s3.prefix),
            Some(Endpoint::Directory(folder)) => format!("{}/", folder.display()),
            None => format!("{store}/"),
        }
    }

    /// The tool that moves files of a store, with everything that it needs to reach it: `aws s3 --region …`;
    /// nothing for a folder.
    pub(super) fn store_tool(&self, store: &str) -> Option<String> {
        let Endpoint::S3(s3) = &self.sites.stores.get(store)?.endpoint else {
            return None;
        };
        let mut tool = "aws s3".to_owned();
        let mut add = |flag: &str, value: &str| {
            let _ = write!(tool, " --{flag} {}", shell_word(value));
        };
        if let Some(endpoint) = &s3.endpoint {
            add("endpoint-url", endpoint);
        }
        add("region", &s3.region);
        if let Some(profile) = &s3.profile {
            add("profile", profile);
        }
        let file = s3
            .credentials_file
            .as_ref()
            .map(|file| file.display().to_string());
        let file = file.map(|file| format!("AWS_SHARED_CREDENTIALS_FILE={} ", shell_word(&file)));
        Some(file.unwrap_or_default() + &tool)
    }

    /// What opens a store's files after they were fetched; nothing where they are not sealed.
    pub(super) fn unseal(&self, store: &str) -> Option<String> {
        let sealing = self.sites.stores.get(store)?.seal.as_ref()?;
        let keys = sealing.identities.as_ref().map(|file| file.display().to_string());
        let keys = keys.map_or_else(|| "<file of the secret key>".to_owned(), |file| shell_word(&file));
        Some(format!("age --decrypt --identity {keys}"))
    }
}

/// A text with namespaces as they are in production, and outputs of steps in words.
pub(super) fn in_words(text: &Text) -> String {
    let mut text = text.clone();
    text.bind(|piece| match piece {
        Piece::Namespace(name) => Some(name.clone()),
        Piece::Output { step, name } => Some(format!("<{name} of step {step}>")),
        Piece::Literal(_) => None,
    });
    text.to_string()
}

#[cfg(test)]
mod tests {
    use crate::step::{Hand, KINDS, Place, check, kind_names};
    use crate::text::Sources;

    /// How the first step of a kind's example is done by hand.
    fn by_hand(kind: &str) -> String {
        by_hand_at(kind, 0)
    }

    /// The same of another one.
    fn by_hand_at(kind: &str, nth: usize) -> String {
        by_hand_with(kind, nth, ("", ""))
    }

    /// The same where the example says something else in one place.
    fn by_hand_with(kind: &str, nth: usize, change: (&str, &str)) -> String {
        let kind = KINDS.iter().find(|one| one.name == kind).unwrap();
        let example = REAL
            .iter()
            .fold(kind.example.to_owned(), |text, (embedded, real)| {
                text.replace(embedded, real)
            })
            .replacen(change.0, change.1, 1);
        let mut sources = Sources::default();
        let ids = [sources.add("example.yaml", example)];
        let (loaded, bound) = check(crate::runbook::load(&sources, &ids, &kind_names(KINDS)), KINDS);
        let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
        let steps = runbook.steps.iter().zip(bound.unwrap().steps);
        let (step, ready) = steps
            .into_iter()
            .filter(|(step, _)| step.kind.value == kind.name)
            .nth(nth)
            .unwrap();
        let place = Place {
            runbook: &runbook,
            sites: &sites,
            step: &step.name.value,
            timeout_ms: step.policy.timeout_ms,
        };
        let hands = ready.unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&sources, false)));
        let line = |hand| match hand {
            Hand::Say(text) => text + "\n",
            Hand::Run(command) => format!("$ {command}\n"),
        };
        hands.by_hand(&place).into_iter().map(line).collect()
    }

    /// The examples run on embedded sites; nobody reaches those by hand.
    const REAL: [(&str, &str); 6] = [
        (
            "on-call: { embedded: {} }",
            "on-call: { webhook: { url: \"https://hooks.acme.example/lifeboat\", keyFile: /run/secrets/hooks } }",
        ),
        ("board: { embedded: {} }", "board: { slack: { urlEnv: BOARD } }"),
        (
            "embedded: { objects: [shop.yaml] }",
            "kubernetes: { context: east }",
        ),
        (
            "embedded: {}",
            "kubernetes: { context: west, kubeconfig: west.conf }",
        ),
        (
            "vault: { directory: vault,",
            "vault: { s3: { bucket: acme-vault, endpoint: \"https://s3.acme.example\", region: eu-west, prefix: shop/ },",
        ),
        (
            "embedded:\n        records:\n          - { name: shop.acme.example, addresses: [192.0.2.10], ttl: 1m }\n",
            "rfc2136: { server: 10.0.0.53, keyFile: corp.key }\n",
        ),
    ];

    #[test]
    fn every_kind_of_step_says_how_a_person_does_it() {
        for kind in KINDS {
            let said = by_hand(kind.name);
            assert!(
                said.lines()
                    .any(|line| line.ends_with('.') || line.ends_with(':')),
                "{}: {said}",
                kind.name
            );
            assert!(!said.contains("${"), "{}: {said}", kind.name);
        }
    }

    #[test]
    fn what_changes_a_cluster_is_a_command_that_can_be_copied() {
        insta::assert_snapshot!(by_hand("scale"), @"
        Write down the sizes as they are, to be able to go back:
        $ kubectl --context east -n shop get deployment -l app=web
        $ kubectl --context east -n shop scale deployment -l app=web --replicas=0
        Look until none of their pods is left, for at most 10m:
        $ kubectl --context east -n shop get pods
        ");
        insta::assert_snapshot!(by_hand("wait"), @"
        $ kubectl --kubeconfig west.conf --context west -n shop get configmap/settings
        It is done when the object is there; look again for at most 10m.
        ");
        insta::assert_snapshot!(by_hand("probe"), @r"
        $ curl -sS --max-time 5 -w '\n%{http_code}\n' http://west.embedded/shop/healthz
        A good answer has status 200 and a body that holds “ok”, 2 times in a row.
        Go on looking every 500ms for at most 2m.
        ");
        insta::assert_snapshot!(by_hand("delete"), @"
        This cannot be undone. Look at CronJob shop/nightly first, and keep what you see.
        $ kubectl --kubeconfig west.conf --context west -n shop get cronjob/nightly -o yaml
        $ kubectl --kubeconfig west.conf --context west -n shop delete cronjob/nightly --ignore-not-found --wait --timeout=10m
        ");
        insta::assert_snapshot!(by_hand("apply"), @"
        In the runbook's folder, which holds the files:
        $ kubectl --kubeconfig west.conf --context west -n shop apply --server-side --field-manager=lifeboat -f banner.yaml
        ");
        insta::assert_snapshot!(by_hand("job"), @"
        `kubectl create job` knows nothing of the variable TARGET=west, the variables from Secret db. Write the Job to a file, add them, and create it from there:
        $ kubectl --kubeconfig west.conf --context west -n shop create job --dry-run=client -o yaml warm-cache --image=registry.example.com/shop/tools:1.4.2 -- warm-cache --all > job.yaml
        $ kubectl --kubeconfig west.conf --context west -n shop create -f job.yaml
        $ kubectl --kubeconfig west.conf --context west -n shop wait --for=condition=complete job/warm-cache --timeout=5m
        $ kubectl --kubeconfig west.conf --context west -n shop logs job/warm-cache
        ");
    }

    #[test]
    fn data_is_fetched_and_put_back_without_lifeboat() {
        insta::assert_snapshot!(by_hand("backup"), @r#"
        Write every object of the namespaces to files, and take them to the store. This is no verified backup: look into the files.
        $ mkdir -p by-hand/shop && for kind in $(kubectl --context east -n shop api-resources --namespaced --verbs=list -o name); do kubectl --context east -n shop get "$kind" -o yaml > by-hand/shop/"$kind".yaml; done
        $ aws s3 --endpoint-url https://s3.acme.example --region eu-west cp --recursive by-hand s3://acme-vault/shop/by-hand
        "#);
        insta::assert_snapshot!(by_hand("copy"), @"
        By way of a folder on this machine:
        $ aws s3 --endpoint-url https://s3.acme.example --region eu-west cp --recursive s3://acme-vault/shop/ by-hand
        $ mkdir -p usb/ && cp -R by-hand/. usb/
        Compare the number of files and their sizes on both sides.
        ");
        insta::assert_snapshot!(by_hand("restore"), @r#"
        Choose the newest backup that is known to be whole. Its name ends in the time at which it was made:
        $ aws s3 --endpoint-url https://s3.acme.example --region eu-west ls s3://acme-vault/shop/backups/
        $ BACKUP=<name>
        $ mkdir -p by-hand && aws s3 --endpoint-url https://s3.acme.example --region eu-west cp s3://acme-vault/shop/backups/"$BACKUP"/"$BACKUP".tar.gz - | tar -xz -C by-hand
        What a cluster has to know first (definitions of custom kinds, classes) has to be there; what of it the backup holds is in by-hand/resources/*/cluster.
        Then, for each namespace:
        $ kubectl --kubeconfig west.conf --context west create namespace shop
        $ find by-hand/resources -path '*/namespaces/shop/*.json' ! -path '*-preferredversion/*' -exec jq 'select(.metadata.ownerReferences == null and .kind != "Endpoints" and .metadata.name != "kube-root-ca.crt") | del(.metadata["uid","resourceVersion","creationTimestamp","generation","managedFields"], .status, .spec.clusterIP?, .spec.clusterIPs?, .spec.volumeName?)' {} + | kubectl --kubeconfig west.conf --context west apply -f -
        Errors name objects that need another one: run the last command again until nothing changes. Services of type LoadBalancer and CronJobs begin to act as soon as they are there.
        "#);
    }

    #[test]
    fn a_side_is_stopped_and_let_go_by_hand_as_well() {
        let fence = by_hand("fence");
        for command in [
            "| kubectl --context east apply -f -",
            "$ kubectl --context east label namespace shop lifeboat.dev/fenced=true --overwrite",
            "$ kubectl --context east -n shop run witness --image=witness --dry-run=server",
            "$ kubectl --context east -n shop delete pods --all --wait --timeout=5m",
        ] {
            assert!(fence.contains(command), "{command}: {fence}");
        }
        insta::assert_snapshot!(by_hand("unfence"), @"
        Take the label off; the message that there is none is fine:
        $ kubectl --kubeconfig west.conf --context west label namespace shop lifeboat.dev/fenced-
        Controllers make their pods again. One that was refused pods for long asks again after up to 17 minutes; that its workload changes, were it only an annotation, wakes it at once:
        $ kubectl --kubeconfig west.conf --context west -n shop annotate replicasets,statefulsets,daemonsets,jobs --all --overwrite lifeboat.dev/woken-by=hand-$(date +%s)
        $ kubectl --kubeconfig west.conf --context west -n shop get pods
        ");
        insta::assert_snapshot!(by_hand("accept"), @"
        Unless stop-active has proved it, ask incident-commander (anna, ben): “Nothing proves that the side which served until now has stopped. Do you answer for it that both may write?” (split-brain)
        Go on only after a yes. Write down who takes the risk, in which role, when, and why.
        ");
    }

    #[test]
    fn customers_are_sent_over_by_hand_as_well() {
        insta::assert_snapshot!(by_hand("traffic"), @r#"
        Write down where requests go now, to be able to go back:
        $ kubectl --context west -n shop get service front -o jsonpath='{.spec.selector}'
        $ kubectl --context west -n shop patch service front --type=json -p '[{"op":"replace","path":"/spec/selector","value":{"app":"web"}}]'
        It has worked if there are addresses of the pods that are meant:
        $ kubectl --context west -n shop get endpointslices -l kubernetes.io/service-name=front
        "#);
        insta::assert_snapshot!(by_hand_at("traffic", 1), @r"
        Write down where requests go now, to be able to go back:
        $ kubectl --context west -n edge get httproute shop -o jsonpath='{.spec.rules[*].backendRefs}'
        Set `weight` of the backend shop-west to 10, then 50, then 100, and that of the others to what is left of 100, in each rule that has it:
        $ kubectl --context west -n edge edit httproute shop
        Ask before the first change, and then at each stage for 2s:
        $ curl -sS --max-time 5 -w '\n%{http_code}\n' http://west.embedded/shop/healthz
        A good answer has status 200 and a body that holds “ok”, 2 times in a row.
        After a bad answer put back what you have written down, and find out why.
        ");
    }

    #[test]
    fn people_and_machines_are_told_by_hand_as_well() {
        insta::assert_snapshot!(by_hand("notify"), @r#"
        Tell on-call: “The shop is being moved to west.”
        Only a signed message is taken. The key stands in the list of processes for a moment: use a machine of your own.
        $ BODY='{"type":"lifeboat.notice","data":{"text":"The shop is being moved to west."}}'
        $ AT=$(date +%s); ID=by-hand-$AT
        $ KEY=$(printf %s "$(cat /run/secrets/hooks)" | sed 's/^whsec_//' | base64 -d | od -A n -v -t x1 | tr -d ' \n')
        $ SIGNATURE=$(printf %s "$ID.$AT.$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$KEY" -binary | base64)
        $ curl -sS --max-time 10 -w '\n%{http_code}\n' -H 'Content-Type: application/json' -H "webhook-id: $ID" -H "webhook-timestamp: $AT" -H "webhook-signature: v1,$SIGNATURE" --data-raw "$BODY" https://hooks.acme.example/lifeboat
        "#);
        insta::assert_snapshot!(by_hand_at("notify", 1), @r#"
        Tell board: “The shop is back, on west, from backup <backup of step restore>.”
        $ printf 'url = "%s"' "$BOARD" | curl -sS --max-time 10 -w '\n%{http_code}\n' -H 'Content-Type: application/json' --data-raw '{"text":"The shop is back, on west, from backup &lt;backup of step restore&gt;."}' -K -
        "#);
    }

    #[test]
    fn a_database_is_asked_by_hand_as_well() {
        insta::assert_snapshot!(by_hand("sql"), @"
        $ kubectl --kubeconfig west.conf --context west -n shop exec statefulset/db -- psql -X -A -t -d 'user=postgres dbname=shop' -c 'select count(*) from orders'
        It is as it should be if the value is at least 1.
        ");
    }

    #[test]
    fn a_velero_is_asked_by_hand_as_well() {
        insta::assert_snapshot!(by_hand("velero"), @r#"
        $ echo '{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"capture-by-hand","namespace":"velero"},"spec":{"includedNamespaces":["shop"],"ttl":"72h"}}' | kubectl --context east -n velero create -f -
        Look until the phase is one that stays, for at most 1h. If it stays empty or `New`, no Velero runs there.
        $ kubectl --context east -n velero get backups.velero.io capture-by-hand -o jsonpath='{.status.phase} {.status.errors} {.status.failureReason}{"\n"}'
        It has worked only if it is `Completed`. What went wrong otherwise, `velero backup describe capture-by-hand --details` says.
        "#);
    }

    #[test]
    fn a_name_is_led_elsewhere_with_the_tools_of_every_dns_server() {
        insta::assert_snapshot!(by_hand("dns"), @r#"
        Write down what the name has now, with its TTL (the number), to be able to go back:
        $ dig @10.0.0.53 -p 53 +norecurse +noall +answer shop.acme.example A shop.acme.example AAAA shop.acme.example CNAME
        $ TTL=<the number, in seconds>
        $ printf '%s\n' "server 10.0.0.53 53" "zone acme.example" "update delete shop.acme.example A" "update delete shop.acme.example AAAA" "update delete shop.acme.example CNAME" "update add shop.acme.example $TTL A 198.51.100.7" "send" | nsupdate -v -k corp.key
        It is done when the server answers with it:
        $ dig @10.0.0.53 -p 53 +norecurse +noall +answer shop.acme.example A shop.acme.example AAAA shop.acme.example CNAME
        Caches may give the old answer for as long as the old TTL said.
        "#);
        let alias = (
            "addresses: [\"${sites.standby.address}\"]",
            "alias: front.west.example, ttl: 30s",
        );
        insta::assert_snapshot!(by_hand_with("dns", 0, alias), @r#"
        Write down what the name has now, with its TTL (the number), to be able to go back:
        $ dig @10.0.0.53 -p 53 +norecurse +noall +answer shop.acme.example A shop.acme.example AAAA shop.acme.example CNAME
        Beside an alias nothing may stand: if this answers with TXT, MX or anything else than A, AAAA and CNAME, stop:
        $ dig @10.0.0.53 -p 53 +tcp +norecurse +noall +answer shop.acme.example ANY
        $ printf '%s\n' "server 10.0.0.53 53" "zone acme.example" "update delete shop.acme.example A" "update delete shop.acme.example AAAA" "update delete shop.acme.example CNAME" "update add shop.acme.example 30 CNAME front.west.example" "send" | nsupdate -v -k corp.key
        It is done when the server answers with it:
        $ dig @10.0.0.53 -p 53 +norecurse +noall +answer shop.acme.example A shop.acme.example AAAA shop.acme.example CNAME
        Caches may give the old answer for as long as the old TTL said.
        "#);
    }

    #[test]
    fn what_is_asked_of_a_person_is_asked_by_hand_as_well() {
        insta::assert_snapshot!(by_hand("approve"), @"
        Ask incident-commander (anna, ben): “Send customers to west?”
        Go on only after a yes. Write down who said it, when, and why.
        ");
        insta::assert_snapshot!(by_hand("manual"), @"
        To be done by incident-commander (anna, ben):
        Call the bank's service desk and have the shop's new addresses allowed. Backup: <backup of step restore>.
        ");
        insta::assert_snapshot!(by_hand("pause"), @"Wait 2s for caches to warm.");
    }
}
