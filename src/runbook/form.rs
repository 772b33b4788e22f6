//! The shape of both documents, as types whose only use is their JSON Schema: it checks a document
//! (unknown and missing keys, types, words, ranges) and is what editors show. What the schema cannot say
//! is checked in [`mod@super::load`].

#![expect(dead_code, reason = "only the schemas of these types are used")]

mod notify;

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::text::{DomainName, Millis, Period};

use self::notify::ReceiverForm;
use super::Runbook;
use super::schedule::form::ScheduledForm;

/// `apiVersion` of both documents.
pub(crate) const API_VERSION: &str = "lifeboat.dev/v1alpha1";

/// One service's recovery: the drill, the failover and the continuity document.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(crate) struct RunbookForm {
    /// The version of the language.
    #[schemars(extend("const" = API_VERSION))]
    api_version: String,
    /// What this document is.
    #[schemars(extend("const" = "Runbook"))]
    kind: String,
    /// Its name.
    metadata: RunbookMetadata,
    /// What it says.
    spec: RunbookSpec,
}

/// A runbook's name.
#[derive(JsonSchema)]
struct RunbookMetadata {
    /// A DNS label of at most 40 characters: namespaces of drills begin with it.
    #[schemars(length(max = Runbook::NAME_MAX), extend("format" = "name"))]
    name: String,
    /// For Kubernetes; not read here.
    namespace: Option<String>,
    /// For Kubernetes; not read here.
    labels: Option<BTreeMap<String, String>>,
    /// For Kubernetes; not read here.
    annotations: Option<BTreeMap<String, String>>,
}

/// What a runbook says.
#[derive(JsonSchema)]
struct RunbookSpec {
    /// What people call the service; without it, the runbook's name.
    title: Option<String>,
    /// What the service is, in one sentence a director understands.
    summary: Option<String>,
    /// 1 is what the company cannot live without.
    #[schemars(range(min = 1))]
    tier: Option<u8>,
    /// Who answers for it.
    owner: Option<OwnerForm>,
    /// What recovery must achieve.
    objectives: Option<ObjectivesForm>,
    /// Role to site, as things stand today. Steps name roles; failback swaps active and standby.
    roles: Option<BTreeMap<String, String>>,
    /// What may be given on the command line, used as `${inputs.<name>}`.
    inputs: Option<BTreeMap<String, InputForm>>,
    /// Role of a person to names.
    people: Option<BTreeMap<String, Vec<String>>>,
    /// What holds for every approval of a run.
    approvals: Option<ApprovalsForm>,
    /// What people have to know, for the continuity plan; no recovery depends on it.
    continuity: Option<ContinuityForm>,
    /// When it is used without a person, by `lifeboat serve`; no recovery depends on it.
    #[schemars(length(min = 1))]
    schedule: Option<Vec<ScheduledForm>>,
    /// What is done. Steps that do not need each other run side by side.
    #[schemars(length(min = 1))]
    steps: Vec<StepForm>,
}

/// Who answers for a service.
#[derive(JsonSchema)]
struct OwnerForm {
    /// The team.
    team: String,
    /// How to reach it.
    contact: Option<String>,
}

/// What holds for every approval of a run.
#[derive(JsonSchema)]
struct ApprovalsForm {
    /// Separation of duties (the four-eyes principle): whoever began or took up a run may neither approve it nor
    /// take a risk in it.
    not_initiator: Option<bool>,
}

/// What recovery must achieve.
#[derive(JsonSchema)]
struct ObjectivesForm {
    /// Recovery time objective: how long until the service answers again.
    rto: Option<Millis>,
    /// Recovery point objective: how much data, in time, may be lost.
    rpo: Option<Millis>,
}

/// One typed input.
#[derive(JsonSchema)]
struct InputForm {
    /// What kind of value.
    #[schemars(rename = "type")]
    kind: InputWord,
    /// Used when none is given; without one the input is mandatory.
    default: Option<ScalarForm>,
    /// Used in place of the default in a drill and in a protection, which may begin by a schedule. For what a
    /// person has to choose in an incident, leave the default out.
    unattended: Option<ScalarForm>,
    /// Smallest whole number.
    minimum: Option<i64>,
    /// Largest whole number.
    maximum: Option<i64>,
    /// The only values allowed.
    choices: Option<Vec<String>>,
    /// What it is for.
    description: Option<String>,
}

/// What people have to know, for the continuity plan.
#[derive(JsonSchema)]
struct ContinuityForm {
    /// Who has approved the plan.
    approved: Option<ApprovalForm>,
    /// For how long a proof by a drill or a real recovery is good, such as 90d (the default).
    proof: Option<Period>,
    /// How to reach somebody: by the name that `people` uses, or any other; companies too.
    contacts: Option<BTreeMap<String, ContactForm>>,
    /// When a failover is declared.
    activation: Option<ActivationForm>,
    /// When it is over and the plan is put away: all of these.
    deactivation: Option<Vec<String>>,
    /// Who is told when it takes too long.
    escalation: Option<Vec<EscalationForm>>,
    /// Where copies of the plan lie that can be read when everything is down.
    copies: Option<Vec<String>>,
}

/// Who stands for the plan.
#[derive(JsonSchema)]
struct ApprovalForm {
    /// Name and office.
    by: String,
    /// The day.
    on: String,
}

/// How to reach a person or a company.
#[derive(JsonSchema)]
struct ContactForm {
    /// In full.
    name: Option<String>,
    /// With the country's number, as a string.
    phone: Option<String>,
    /// An address.
    mail: Option<String>,
    /// Whatever else: hours, contract number.
    note: Option<String>,
    /// Another company.
    vendor: Option<bool>,
}

/// When a failover is declared.
#[derive(JsonSchema)]
struct ActivationForm {
    /// Any of these is enough.
    #[schemars(length(min = 1))]
    criteria: Vec<String>,
    /// Roles of people who may declare it.
    by: Option<Vec<String>>,
    /// The time for the decision; customers wait for it, too.
    decide_within: Option<Millis>,
}

/// Somebody is told because it takes too long.
#[derive(JsonSchema)]
struct EscalationForm {
    /// From the declaration.
    after: Millis,
    /// A role of `people` or a name of `contacts`.
    tell: String,
    /// What for.
    why: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum InputWord {
    Integer,
    String,
    Boolean,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ScalarForm {
    Integer(i64),
    String(String),
    Boolean(bool),
}

/// One step: what is said of every step, and exactly one key that says what it does.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
pub(crate) struct StepForm {
    /// Unique in the runbook; a DNS label.
    #[schemars(extend("format" = "name"))]
    name: String,
    /// One sentence for people.
    description: Option<String>,
    /// Steps that must have ended well first. One that takes no part in a mode is bridged.
    needs: Option<Vec<String>>,
    /// It runs when all other steps have come to rest, however the run went: also after a failure, and when
    /// somebody stopped it. For what has to be put back in any case, such as an application that was
    /// stopped for a backup. If it fails, the run has failed. Default false.
    finally: Option<bool>,
    /// In which uses it takes part; without it, in every recovery (not in `protect`).
    #[schemars(length(min = 1))]
    modes: Option<Vec<ModeWord>>,
    /// For the whole step, all attempts together. Default 10m.
    timeout: Option<Millis>,
    /// How often each change is tried, and how long between.
    retry: Option<RetryForm>,
    /// When all of that was not enough. Default pause.
    on_failure: Option<OnFailureWord>,
    /// What a drill does with it. Default confine.
    drill: Option<InDrillWord>,
    /// What happens when its site does not answer while planning. Default refuse.
    ungraceful: Option<UngracefulWord>,
}

/// How often each change is tried.
#[derive(JsonSchema)]
struct RetryForm {
    /// At most this often; 1 is once. Default 3.
    #[schemars(range(min = 1, max = 100))]
    attempts: Option<u32>,
    /// Before the second attempt; doubles each time, up to a minute. Default 2s.
    backoff: Option<Millis>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ModeWord {
    /// Rehearse the recovery on the standby, inside walls, and remove every trace.
    Drill,
    /// Planned: the active side is stopped first, nothing is lost.
    Switchover,
    /// In an incident: the active side may be gone.
    Failover,
    /// Back again: roles are swapped.
    Failback,
    /// Keep the standby able to take over: backups and copies.
    Protect,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnFailureWord {
    /// Finish what runs, start nothing new, wait for a person.
    Pause,
    /// Finish what runs, then end the run as failed.
    Stop,
    /// Undo what was done, newest first, then end the run as failed.
    Undo,
    /// Go on as if it had worked; the report says so.
    Continue,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum InDrillWord {
    /// Draw walls around it, or refuse.
    Confine,
    /// Leave it out.
    Skip,
    /// The author says that it harms nobody. Only for steps that change nothing.
    AsIs,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum UngracefulWord {
    /// Planning fails: unreachable is not the same as down.
    Refuse,
    /// It is left out, and the plan says so.
    Skip,
}

/// Where things are: clusters, stores and DNS servers.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(crate) struct SitesForm {
    /// The version of the language.
    #[schemars(extend("const" = API_VERSION))]
    api_version: String,
    /// What this document is.
    #[schemars(extend("const" = "Sites"))]
    kind: String,
    /// Its name.
    metadata: SitesMetadata,
    /// What there is.
    spec: SitesSpec,
}

/// An inventory's name.
#[derive(JsonSchema)]
struct SitesMetadata {
    /// A DNS label.
    #[schemars(extend("format" = "name"))]
    name: String,
    /// For Kubernetes; not read here.
    namespace: Option<String>,
    /// For Kubernetes; not read here.
    labels: Option<BTreeMap<String, String>>,
    /// For Kubernetes; not read here.
    annotations: Option<BTreeMap<String, String>>,
}

/// What an inventory says.
#[derive(JsonSchema)]
struct SitesSpec {
    /// Kubernetes clusters by name.
    sites: Option<BTreeMap<String, SiteForm>>,
    /// Object stores by name.
    stores: Option<BTreeMap<String, StoreForm>>,
    /// DNS servers that take changes, by name.
    dns: Option<BTreeMap<String, DnsForm>>,
    /// Who can be told what happens, by name.
    notify: Option<BTreeMap<String, ReceiverForm>>,
    /// Where journals of runs are kept besides this machine.
    journal: Option<JournalForm>,
}

/// Copies of every run's journal.
#[derive(JsonSchema)]
struct JournalForm {
    /// Stores of this inventory. Each gets every record, as objects that are never changed.
    #[schemars(length(min = 1))]
    mirrors: Vec<String>,
    /// What must hold a record before the next change to the world begins. Default local+1.
    release: Option<ReleaseWord>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ReleaseWord {
    /// This machine's disk. Mirrors follow as fast as they can; what they lack is lost with the machine.
    Local,
    /// This machine's disk and one mirror.
    #[schemars(rename = "local+1")]
    LocalAndOne,
    /// This machine's disk and more than half of the mirrors.
    Majority,
}

/// One cluster: `kubernetes` or `embedded`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SiteForm {
    /// A cluster reached by a kubeconfig.
    kubernetes: Option<KubernetesForm>,
    /// A cluster inside this program, for demonstrations and tests.
    embedded: Option<EmbeddedForm>,
    /// From the widest to the narrowest: provider, account, region. Equal beginnings fail together.
    failure_domain: Option<Vec<String>>,
    /// Free values for `${sites.<role or site>.<name>}`.
    values: Option<BTreeMap<String, String>>,
}

/// How to reach a cluster.
#[derive(JsonSchema)]
struct KubernetesForm {
    /// The kubeconfig's context.
    context: String,
    /// The file; without it, what KUBECONFIG says, else ~/.kube/config.
    #[schemars(extend("format" = "path"))]
    kubeconfig: Option<String>,
}

/// A cluster in this program's memory.
#[derive(JsonSchema)]
struct EmbeddedForm {
    /// YAML files of Kubernetes objects that it begins with.
    objects: Option<Vec<String>>,
}

/// One store: `s3` or `directory`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct StoreForm {
    /// An S3 bucket or a part of one.
    s3: Option<S3Form>,
    /// A folder of this machine.
    #[schemars(extend("format" = "path"))]
    directory: Option<String>,
    /// From the widest to the narrowest: provider, account, region. Equal beginnings fail together.
    failure_domain: Option<Vec<String>>,
    /// Encrypts everything before it leaves this machine. Velero cannot read such a store.
    seal: Option<SealForm>,
}

/// For whom a store is encrypted, by age.
#[derive(JsonSchema)]
struct SealForm {
    /// Public keys, `age1…`: each can open everything. Keep the secret key of one of them offline.
    #[schemars(length(min = 1))]
    recipients: Vec<String>,
    /// The file of secret keys with which this machine opens; without it, it can only write.
    #[schemars(extend("format" = "path"))]
    identities: Option<String>,
}

/// An S3 bucket. Credentials are never written here.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct S3Form {
    /// The bucket.
    #[schemars(length(min = 3))]
    bucket: String,
    /// `https://…`; without it, AWS's own.
    endpoint: Option<String>,
    /// The region; many servers that are not AWS take any.
    region: Option<String>,
    /// The part of the bucket that is ours.
    prefix: Option<String>,
    /// A profile of the shared credentials file.
    profile: Option<String>,
    /// The shared credentials file; without it, the usual place.
    #[schemars(extend("format" = "path"))]
    credentials_file: Option<String>,
}

/// One DNS server: `rfc2136` or `embedded`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct DnsForm {
    /// A server that takes dynamic updates, as BIND and Knot do.
    rfc2136: Option<Rfc2136Form>,
    /// A server inside this program, for demonstrations and tests.
    embedded: Option<EmbeddedDnsForm>,
    /// The zones of which it is the primary server, and in which names may be changed. Others are refused.
    #[schemars(length(min = 1))]
    zones: Vec<DomainName>,
    /// From the widest to the narrowest: provider, account, region. Equal beginnings fail together.
    failure_domain: Option<Vec<String>>,
}

/// A DNS server that takes dynamic updates (RFC 2136), signed with TSIG.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Rfc2136Form {
    /// Its address, with `:port` where that is not 53. Better no name: it would be looked up in DNS.
    server: String,
    /// The file of its key, as `tsig-keygen` writes it and `nsupdate -k` reads it. Only its place stands here.
    #[schemars(extend("format" = "path"))]
    key_file: String,
}

/// A DNS server in this program's memory.
#[derive(JsonSchema)]
struct EmbeddedDnsForm {
    /// What it begins with.
    records: Option<Vec<RecordForm>>,
}

/// What a name begins with: `addresses` or `alias`.
#[derive(JsonSchema)]
struct RecordForm {
    /// The name.
    name: DomainName,
    /// IPv4 and IPv6 addresses.
    #[schemars(length(min = 1))]
    addresses: Option<Vec<std::net::IpAddr>>,
    /// The name that it is an alias of.
    alias: Option<DomainName>,
    /// For how long caches may keep it, in whole seconds. Default 1m.
    ttl: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::{InDrill, Mode, OnFailure, Release, Ungraceful};

    /// The words of an enum in its schema.
    fn words<T: JsonSchema>() -> Vec<String> {
        let schema = schemars::schema_for!(T).to_value();
        let list = schema.get("oneOf").and_then(|list| list.as_array()).unwrap();
        list.iter()
            .map(|one| one["const"].as_str().unwrap().to_owned())
            .collect()
    }

    fn all_read<T: serde::de::DeserializeOwned>(words: &[String]) -> bool {
        words
            .iter()
            .all(|word| serde_json::from_value::<T>(word.as_str().into()).is_ok())
    }

    #[test]
    fn the_words_of_the_schema_are_those_of_the_types() {
        assert_eq!(words::<ModeWord>(), Mode::ALL.map(|mode| mode.word().to_owned()));
        assert!(all_read::<OnFailure>(&words::<OnFailureWord>()));
        assert!(all_read::<InDrill>(&words::<InDrillWord>()));
        assert!(all_read::<Ungraceful>(&words::<UngracefulWord>()));
        assert!(all_read::<Release>(&words::<ReleaseWord>()));
    }
}

/// Who the sites and stores of an inventory are; `lifeboat sites pin` writes it.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(crate) struct PinsForm {
    /// The version of the language.
    #[schemars(extend("const" = API_VERSION))]
    api_version: String,
    /// What this document is.
    #[schemars(extend("const" = "Pins"))]
    kind: String,
    /// The name of the inventory.
    metadata: SitesMetadata,
    /// What is pinned.
    spec: PinsSpec,
}

/// What is pinned.
#[derive(JsonSchema)]
struct PinsSpec {
    /// Clusters by their names in the inventory.
    sites: Option<BTreeMap<String, SitePinForm>>,
    /// Stores by their names in the inventory.
    stores: Option<BTreeMap<String, StorePinForm>>,
}

/// Who a cluster is.
#[derive(JsonSchema)]
struct SitePinForm {
    /// Uid of the namespace kube-system.
    uid: String,
    /// Who may vouch for its API server: `sha256:<hex>` of a certificate's DER bytes, `system` or `plain-http`.
    #[schemars(length(min = 1))]
    authorities: Vec<String>,
    /// Who pinned it.
    by: String,
    /// When.
    at: String,
    /// Why it is not what it was before.
    reason: Option<String>,
}

/// Who a store is.
#[derive(JsonSchema)]
struct StorePinForm {
    /// What its object metadata/lifeboat-identity.json holds.
    id: String,
    /// Who pinned it.
    by: String,
    /// When.
    at: String,
    /// Why it is not what it was before.
    reason: Option<String>,
}
