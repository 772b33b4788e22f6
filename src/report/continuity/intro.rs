//! Introduction and concept of operations: what this is about, and who does what.

use super::Desk;
use crate::report::document::{Block, Marked, Section, Table};
use crate::report::draw::Tone;
use crate::report::units::{count, duration, moment};
use crate::runbook::{ACTIVE, DnsEndpoint, DnsServer, Endpoint, KubernetesSite, Mode, STANDBY};
use crate::text::DomainName;

/// 1.
pub(super) fn introduction(desk: &mut Desk<'_>) -> Section {
    let mut blocks = vec![Block::Heading("1.1 Background".to_owned())];
    blocks.extend(desk.part("background"));
    blocks.push(Block::Heading("1.2 Scope".to_owned()));
    blocks.push(Block::Facts(scope(desk)));
    blocks.extend(objectives(desk));
    blocks.extend(desk.part("scope"));
    blocks.push(Block::Heading("1.3 Assumptions".to_owned()));
    blocks.extend(desk.part("assumptions"));
    blocks.push(assumed(desk));
    Section::new("introduction", "1 Introduction", blocks)
}

fn scope(desk: &Desk<'_>) -> Vec<(&'static str, String)> {
    let runbook = desk.runbook();
    let mut facts = vec![("Service", format!("{} ({})", runbook.title, runbook.name.value))];
    facts.extend(runbook.summary.clone().map(|text| ("What it is", text)));
    facts.extend(
        runbook
            .tier
            .map(|tier| ("Importance", format!("tier {tier}; 1 is highest"))),
    );
    let time = |ms: Option<u64>| ms.map_or_else(|| "nobody has decided".to_owned(), duration);
    facts.push(("Recovery time objective", time(runbook.objectives.rto_ms)));
    facts.push(("Recovery point objective", time(runbook.objectives.rpo_ms)));
    facts
}

fn objectives(desk: &mut Desk<'_>) -> Vec<Block> {
    let objectives = desk.runbook().objectives;
    let mut blocks = Vec::new();
    if objectives.rto_ms.is_none() {
        blocks.push(desk.missing(
            "1.2 Scope",
            "How long the service may be down: objectives.rto in the runbook.",
        ));
    }
    if objectives.rpo_ms.is_none() {
        blocks.push(desk.missing(
            "1.2 Scope",
            "How much data may be lost: objectives.rpo in the runbook.",
        ));
    }
    blocks
}

/// What the tool knows to be assumed.
fn assumed(desk: &Desk<'_>) -> Block {
    let mut all = vec![
        "The commands of this plan find the sites and stores of section 2.1 by the names that stand there, with credentials that are kept elsewhere.".to_owned(),
        "What the sites have to have before a recovery (definitions of custom kinds, classes, quotas) is there; a plan made by lifeboat says what is missing.".to_owned(),
    ];
    if let Some(rpo) = desk.runbook().objectives.rpo_ms {
        all.push(format!(
            "Backups are made at least every {}; lifeboat readiness says whether they are.",
            duration(rpo)
        ));
    }
    Block::List(all.into_iter().map(Marked::plain).collect())
}

/// 2.
pub(super) fn concept(desk: &mut Desk<'_>) -> Section {
    let mut blocks = vec![Block::Heading("2.1 System description".to_owned())];
    blocks.extend(desk.part("system"));
    blocks.extend(places(desk));
    blocks.push(Block::Heading("2.2 Three phases".to_owned()));
    blocks.extend(phases(desk));
    blocks.push(Block::Heading("2.3 Roles and responsibilities".to_owned()));
    blocks.extend(super::people::roles(desk));
    Section::new("concept", "2 Concept of operations", blocks)
}

/// Sites and stores, and which disaster takes which of them.
pub(super) fn places(desk: &mut Desk<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Table(sites(desk)), Block::Table(stores(desk))];
    blocks.extend(dns(desk).map(Block::Table));
    blocks.push(Block::Source(format!(
        "From the runbook and its inventory, read {}. No site was asked.",
        moment(desk.paper.now, desk.paper.zone)
    )));
    blocks.extend(embedded(desk));
    blocks.extend(together(desk));
    blocks
}

fn domain(domain: &[String]) -> Marked {
    if domain.is_empty() {
        return Marked::new("not said", Tone::Doubt);
    }
    Marked::plain(domain.join(" / "))
}

fn sites(desk: &Desk<'_>) -> Table {
    let runbook = desk.runbook();
    let used = runbook.roles.iter().filter_map(|(role, site)| {
        let known = desk.paper.sites.sites.get(&site.value)?;
        let reached = match &known.kubernetes {
            KubernetesSite::Context { context, .. } => format!("Kubernetes, context {context}"),
            KubernetesSite::Embedded { .. } => "embedded: in lifeboat's own memory".to_owned(),
        };
        let values = known
            .values
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        Some(vec![
            Marked::plain(site.value.clone()),
            Marked::plain(role.clone()),
            Marked::plain(reached),
            domain(&known.failure_domain),
            Marked::plain(values.collect::<Vec<_>>().join("; ")),
        ])
    });
    Table {
        caption: if desk.runbook().goes_back() {
            "Sites and their roles today; a failback swaps active and standby"
        } else {
            "Sites and their roles"
        },
        head: &["Site", "Role", "Reached by", "Fails together with", "Values"],
        rows: used.collect(),
    }
}

fn stores(desk: &Desk<'_>) -> Table {
    let row = |(name, store): (&String, &crate::runbook::Store)| {
        let place = match &store.endpoint {
            Endpoint::S3(s3) => {
                let server = s3.endpoint.as_deref().unwrap_or("AWS");
                format!("bucket {}/{} at {server}, {}", s3.bucket, s3.prefix, s3.region)
            }
            Endpoint::Directory(folder) => format!("folder {}", folder.display()),
        };
        let sealed = match &store.seal {
            Some(seal) => format!("sealed with age for {} recipients", seal.recipients.len()),
            None => "not sealed".to_owned(),
        };
        vec![
            Marked::plain(name.clone()),
            Marked::plain(place),
            domain(&store.failure_domain),
            Marked::plain(sealed),
        ]
    };
    Table {
        caption: "Stores, where backups are",
        head: &["Store", "Place", "Fails together with", "Encryption"],
        rows: desk.paper.sites.stores.iter().map(row).collect(),
    }
}

/// DNS servers, where there are any.
fn dns(desk: &Desk<'_>) -> Option<Table> {
    let row = |(name, server): (&String, &DnsServer)| {
        let (place, key) = match &server.endpoint {
            DnsEndpoint::Rfc2136(at) => (at.server.clone(), at.key_file.display().to_string()),
            DnsEndpoint::Embedded(_) => ("embedded: in lifeboat's own memory".to_owned(), String::new()),
        };
        let zones: Vec<&str> = server.zones.iter().map(DomainName::as_str).collect();
        vec![
            Marked::plain(name.clone()),
            Marked::plain(place),
            Marked::plain(zones.join(", ")),
            Marked::plain(key),
            domain(&server.failure_domain),
        ]
    };
    let rows: Vec<Vec<Marked>> = desk.paper.sites.dns.iter().map(row).collect();
    (!rows.is_empty()).then_some(Table {
        caption: "DNS servers, where names are led elsewhere",
        head: &[
            "Server",
            "Place",
            "Zones",
            "File of the key",
            "Fails together with",
        ],
        rows,
    })
}

/// Nobody reaches an embedded site by hand.
fn embedded(desk: &mut Desk<'_>) -> Option<Block> {
    let sites = &desk.paper.sites.sites;
    let roles = desk.runbook().roles.values();
    let mut names: Vec<&str> = roles
        .filter(|site| {
            let known = sites.get(&site.value).map(|site| &site.kubernetes);
            matches!(known, Some(KubernetesSite::Embedded { .. }))
        })
        .map(|site| site.value.as_str())
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return None;
    }
    let text = format!(
        "Real sites: {} are embedded in lifeboat, for demonstrations. Give the inventory of the real ones with --sites; the commands below are as they would be there.",
        names.join(" and ")
    );
    Some(desk.missing("2.1 System description", text))
}

/// What fails together although one is meant to outlive the other.
fn together(desk: &mut Desk<'_>) -> Vec<Block> {
    let paper = desk.paper;
    let site = |role: &str| {
        let name = paper.runbook.roles.get(role)?;
        paper.sites.sites.get(&name.value)
    };
    let Some(active) = site(ACTIVE) else {
        return Vec::new();
    };
    let mut risks = Vec::new();
    let mut look = |what: String, domain: &[String]| {
        if !domain.is_empty() && !active.failure_domain.is_empty() && begins(&active.failure_domain, domain) {
            risks.push(format!(
                "{what} lies in the same failure domain as {}: one event takes both.",
                active.name.value
            ));
        }
    };
    if let Some(standby) = site(STANDBY) {
        look(
            format!("The standby {}", standby.name.value),
            &standby.failure_domain,
        );
    }
    for store in paper.sites.stores.values() {
        look(format!("Store {}", store.name.value), &store.failure_domain);
    }
    for server in paper.sites.dns.values() {
        look(
            format!("DNS server {}", server.name.value),
            &server.failure_domain,
        );
    }
    risks
        .into_iter()
        .map(|risk| {
            desk.gaps.push(format!("2.1 System description: {risk}"));
            Block::Notice(Marked::new(risk, Tone::Bad))
        })
        .collect()
}

/// Whether one of two domains holds the other.
fn begins(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn phases(desk: &Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let steps = |mode: Mode| {
        let steps = runbook.steps.iter();
        count(steps.filter(|step| step.modes.contains(&mode)).count(), "step")
    };
    let proving = runbook
        .steps
        .iter()
        .filter(|step| super::kind_of(step).is_some_and(|kind| kind.proves_health))
        .map(|step| step.name.value.as_str());
    let proving: Vec<&str> = proving.collect();
    let proved = if proving.is_empty() {
        "No step proves that the service is healthy.".to_owned()
    } else {
        format!("It is proved by {}.", proving.join(", "))
    };
    let back = if runbook.goes_back() {
        format!(
            ", and brought back when {} is whole ({} of a failback)",
            desk.role(ACTIVE),
            steps(Mode::Failback)
        )
    } else {
        String::new()
    };
    let rows = [
        (
            "Activation and notification",
            "Somebody notices, assesses and declares; people are told. Section 3.".to_owned(),
        ),
        (
            "Recovery",
            format!(
                "{} of a {} bring the service up at {}. Section 4.",
                count(desk.sequence.steps.len(), "step"),
                desk.sequence.mode,
                desk.role(STANDBY)
            ),
        ),
        (
            "Reconstitution",
            format!(
                "The service is validated, declared recovered and protected again ({}){back}. {proved} Section 5.",
                steps(Mode::Protect)
            ),
        ),
    ];
    let rows = rows
        .into_iter()
        .map(|(phase, what)| vec![Marked::plain(phase), Marked::plain(what)]);
    vec![Block::Table(Table {
        caption: "The three phases",
        head: &["Phase", "What happens"],
        rows: rows.collect(),
    })]
}
