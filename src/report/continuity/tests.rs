//! Whole plans over the shop, with and without what people and runs say.

use super::*;
use crate::report::history::Record;
use crate::report::outcome::Summary;
use crate::report::sample;
use crate::step::{check, kind_names};
use crate::text::Sources;

/// The shop as it is shipped.
const RUNBOOK: &str = include_str!("../../../playbooks/shop/runbook.yaml");
const SITES: &str = include_str!("../../../playbooks/shop/sites.yaml");

struct Shelf {
    runbook: Runbook,
    sites: Sites,
    bound: Bound,
    prose: Prose,
    past: Past,
    zone: TimeZone,
}

impl Shelf {
    fn of(runbook: &str, sites: &str) -> Self {
        let mut sources = Sources::default();
        let ids = [
            sources.add("shop/runbook.yaml", runbook.to_owned()),
            sources.add("shop/sites.yaml", sites.to_owned()),
        ];
        let (loaded, bound) = check(crate::runbook::load(&sources, &ids, &kind_names(KINDS)), KINDS);
        let said = loaded.diagnostics.render(&sources, false);
        assert!(!loaded.diagnostics.has_errors(), "{said}");
        Self {
            runbook: loaded.runbook.unwrap(),
            sites: loaded.sites.unwrap(),
            bound: bound.unwrap(),
            prose: Prose {
                folder: "shop/plan".into(),
                ..Prose::default()
            },
            past: Past {
                place: ".lifeboat/runs".into(),
                ..Past::default()
            },
            zone: TimeZone::UTC,
        }
    }

    fn shop() -> Self {
        Self::of(RUNBOOK, SITES)
    }

    /// With a drill two days ago, of this recovery or of another one.
    fn drilled(mut self, same: bool) -> Self {
        let mut entries = sample::recovered();
        let crate::run::Event::Began(beginning) = &mut entries[0].event else {
            panic!()
        };
        let recovery = if same {
            self.runbook.recovery.clone()
        } else {
            "0".repeat(64)
        };
        beginning.plan.runbook.recovery = Some(recovery);
        beginning.digest = crate::plan::Digest::of(&beginning.plan);
        self.past.runs = vec![Summary::of(&entries).unwrap()];
        self.past.records = vec![Record::of(&entries).unwrap()];
        self
    }

    fn told(mut self) -> Self {
        for part in PARTS {
            let text = format!("# Words\n\nOf {}.\n", part.name);
            self.prose.parts.insert(part.name.into(), text);
        }
        self
    }

    fn paper(&self) -> Paper<'_> {
        Paper {
            runbook: &self.runbook,
            sites: &self.sites,
            bound: &self.bound,
            prose: &self.prose,
            past: &self.past,
            path: "shop",
            now: "2026-11-24T22:15:00Z".parse().unwrap(),
            zone: &self.zone,
        }
    }

    fn plan(&self) -> Pages {
        plan(&self.paper())
    }
}

/// Real sites in place of the embedded ones.
fn real() -> String {
    let text = SITES.replace(
        "embedded: { objects: [platform.yaml, app.yaml] }",
        "kubernetes: { context: east }",
    );
    text.replace(
        "embedded: { objects: [platform.yaml] }",
        "kubernetes: { context: west }",
    )
}

#[test]
fn the_outline_is_that_of_the_standard() {
    let text = Shelf::shop().plan().markdown;
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(
        headings,
        [
            "## Summary",
            "## 1 Introduction",
            "## 2 Concept of operations",
            "## 3 Activation and notification",
            "## 4 Recovery",
            "## 5 Reconstitution",
            "## A Personnel contact list",
            "## B Vendor contact list",
            "## C Detailed recovery procedures",
            "## D Alternate processing procedures",
            "## E System validation test plan",
            "## F Alternate site, storage and telecommunications",
            "## G Diagrams",
            "## H Inventory",
            "## I Interconnections",
            "## J Test and maintenance schedule",
            "## K Associated plans and procedures",
            "## L Business impact analysis",
            "## M Document changes",
            "## What is missing",
        ]
    );
    let parts = text
        .lines()
        .filter(|line| line.starts_with("### "))
        .filter(|line| line.contains('.'));
    assert_eq!(parts.count(), 3 + 3 + 3 + 3 + 10, "{text}");
}

#[test]
fn every_step_says_how_it_is_done_by_hand() {
    let shelf = Shelf::of(RUNBOOK, &real());
    let text = shelf.plan().markdown;
    for step in &shelf.runbook.steps {
        let named =
            |line: &&str| line.starts_with("### Step ") && line.contains(&format!(": {}", step.name.value));
        let heading = text
            .lines()
            .find(named)
            .unwrap_or_else(|| panic!("{} in {text}", step.name.value));
        let at = text.find(heading).unwrap();
        let section = text[at..].split("\n### ").next().unwrap();
        let by_hand = section.split("By hand:").nth(1).unwrap();
        assert!(by_hand.trim().len() > 20, "{section}");
    }
    assert!(
        text.contains("kubectl --context east label namespace shop lifeboat.dev/fenced=true --overwrite"),
        "{text}"
    );
}

#[test]
fn everything_that_is_missing_is_listed_once_and_goes_when_it_is_there() {
    let bare = RUNBOOK.find("  # For people").unwrap();
    let end = RUNBOOK.find("\n  steps:").unwrap();
    let bare = format!("{}{}", &RUNBOOK[..bare], &RUNBOOK[end..]);
    let gaps = Shelf::of(&bare, SITES).plan().gaps;
    let once: std::collections::BTreeSet<&String> = gaps.iter().collect();
    assert_eq!(once.len(), gaps.len(), "{gaps:#?}");
    for part in PARTS.iter().filter(|part| part.required) {
        assert!(
            gaps.iter()
                .any(|gap| gap.contains(&format!("shop/plan/{}.md", part.name))),
            "{}",
            part.name
        );
    }
    for key in [
        "activation.criteria",
        "activation.by",
        "decide_within",
        "escalation",
        "deactivation",
        "contacts.anna.phone",
        "copies",
        "vendor",
    ] {
        assert!(gaps.iter().any(|gap| gap.contains(key)), "{key} in {gaps:#?}");
    }
    let whole = Shelf::of(RUNBOOK, &real()).told().drilled(true).plan();
    // What no run has measured stays unknown: drills leave `stop-active` out.
    assert_eq!(whole.gaps.len(), 1, "{:#?}", whole.gaps);
    assert!(
        whole.gaps[0].contains("nobody has measured stop-active"),
        "{:?}",
        whole.gaps
    );
}

#[test]
fn a_recovery_that_was_changed_since_its_drill_has_a_banner() {
    let banner = "was never tried as it is";
    let same = Shelf::shop().drilled(true).plan();
    assert!(!same.html.contains(banner) && !same.markdown.contains(banner));
    let changed = Shelf::shop().drilled(false).plan();
    assert!(
        changed.html.contains(banner) && changed.markdown.contains(banner),
        "{}",
        changed.markdown
    );
    assert_eq!(changed.readiness.state, Ready::NeedsAttention);
}

#[test]
fn durations_come_from_history_and_say_so() {
    let text = Shelf::shop().drilled(true).plan().markdown;
    let row = text
        .lines()
        .find(|line| line.starts_with("| ") && line.contains("| web-up |"))
        .unwrap();
    assert!(row.contains("1 drill, newest 2026-11-22, longest 13 s"), "{row}");
    let row = text
        .lines()
        .find(|line| line.starts_with("| ") && line.contains("| stop-active |"))
        .unwrap();
    assert!(row.contains("| unknown | 5 m |"), "{row}");
    assert!(
        text.contains("from the journals in .lifeboat/runs, read 2026-11-24"),
        "{text}"
    );
    let none = Shelf::shop().plan().markdown;
    assert!(
        none.contains("No run in .lifeboat/runs measured these steps"),
        "{none}"
    );
}

#[test]
fn a_store_that_fails_with_the_active_site_is_said() {
    let text = SITES.replace(
        "failureDomain: [provider-a, account-2, eu-west]\n",
        "failureDomain: [provider-a, account-1, eu-central]\n",
    );
    assert_ne!(text, SITES);
    let pages = Shelf::of(RUNBOOK, &text).plan();
    let said = |what: &str| pages.gaps.iter().any(|gap| gap.contains(what));
    assert!(
        said("Store vault lies in the same failure domain as east"),
        "{:#?}",
        pages.gaps
    );
    assert!(
        said("The standby west lies in the same failure domain"),
        "{:#?}",
        pages.gaps
    );
}

#[test]
fn words_of_people_stand_in_their_sections_below_its_headings() {
    let mut shelf = Shelf::shop().told();
    shelf
        .prose
        .steps
        .insert("restore".into(), "Change the *password* first.".into());
    shelf.prose.strangers.push("asessment.md".into());
    let pages = shelf.plan();
    let at = pages.markdown.find("### 3.3 Outage assessment").unwrap();
    assert!(pages.markdown[at..].starts_with("### 3.3 Outage assessment\n\n#### Words\n\nOf assessment."));
    assert!(pages.html.contains("Change the <em>password</em> first."));
    let stranger = pages
        .gaps
        .iter()
        .find(|gap| gap.contains("asessment.md"))
        .unwrap();
    assert!(stranger.contains("Did you mean assessment.md?"), "{stranger}");
}

#[test]
fn a_plan_and_a_card_are_whole_pages_that_need_nothing_else() {
    let hostile = RUNBOOK
        .replace("Online shop", "\"</style><script>alert(1)</script>\"")
        .replace("Anna Berg", "\"<img src=x onerror=alert(1)>\"");
    for shelf in [Shelf::shop().told().drilled(true), Shelf::of(&hostile, SITES)] {
        for page in [plan(&shelf.paper()).html, card(&shelf.paper()).html] {
            for tag in [
                "section", "table", "tr", "th", "td", "ul", "li", "dl", "div", "p", "svg", "h2", "h3", "pre",
                "style",
            ] {
                let opened =
                    page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
                assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
            }
            for part in ["<script", "<img", "src=\"", "url(", "@import"] {
                assert!(!page.contains(part), "{part} in {page}");
            }
        }
    }
}

#[test]
fn the_card_of_the_shop_reads_well() {
    insta::assert_snapshot!(card(&Shelf::of(RUNBOOK, &real()).drilled(true).paper()).markdown, @r"
    # Recovery card: Online shop

    shop · written 2026-11-24 22:15:00 +00:00

    **Proved by a drill, lately, and unchanged since.**

    ## When

    - [ ] The shop has answered nobody for 10 minutes, and it is neither our network nor a release.
    - [ ] The provider says that the region will be down for more than 15 minutes.
    - [ ] The site that serves has to be given up, because of an intrusion or on order of the authorities.

    One is enough. Declared by incident-commander (anna, ben), within 10 m. Time: \_\_\_\_\_\_ By: \_\_\_\_\_\_\_\_\_\_\_\_\_\_

    ## Who

    Call:

    | Name | Role | Telephone | Note |
    | --- | --- | --- | --- |
    | Anna Berg | incident-commander | +49 30 5550 101 | on call in even weeks |
    | Ben Okoro | incident-commander | +49 30 5550 102 | on call in odd weeks |
    | Carla Diaz | head-of-commerce | +49 30 5550 110 |  |
    | David Stein | head-of-commerce | +49 30 5550 111 |  |
    | Telephone bridge |  | +49 30 5550 199 | code 4711 |
    | Order team on call |  | +49 30 5550 140 | switches the order database to read-only |
    | Payment provider | vendor | +49 800 5550 300 | merchant 90017; tell them before the first order |
    | Provider A | vendor | +49 800 5550 200 | contract A-1173, answers within 15 minutes |

    ## Steps

    ```sh
    lifeboat failover shop
    ```

    or by hand, in this order; the commands are in section 4.2 of the plan:

    - [ ] stop-active at east (active): Nobody orders on the old side once the new one is made, and nothing starts it again. (at most 5 m) Time: \_\_\_\_\_\_
    - [ ] both-may-write: Where nothing proves that the old side has stopped, a named person answers for going on. (at most 10 m) Time: \_\_\_\_\_\_
    - [ ] restore at west (standby): The namespace is made again from its newest backup that was read back and compared. (usually 2.1 s, at most 10 m) Time: \_\_\_\_\_\_
    - [ ] let-go at west (standby): A site that an earlier recovery has fenced starts its pods again, now that they are up to date. (at most 10 m) Time: \_\_\_\_\_\_
    - [ ] carts-up at west (standby): What remembers customers' carts is there, empty. Orders are not in it. (at most 5 m) Time: \_\_\_\_\_\_
    - [ ] orders-up at west (standby): What takes orders is there and ready. (at most 5 m) Time: \_\_\_\_\_\_
    - [ ] web-up at west (standby): The pods that serve customers are there and ready. (usually 13 s, at most 5 m) Time: \_\_\_\_\_\_
    - [ ] answers: A customer's first page is answered, from outside. (usually 4 s, at most 2 m) Time: \_\_\_\_\_\_
    - [ ] go: A person who may decide it has looked at the shop and sends customers there. (at most 10 m) Time: \_\_\_\_\_\_

    ## Over when

    - [ ] Customers order at the site where the shop usually runs.
    - [ ] A backup of that site has been read back and compared.
    - [ ] The old side holds nothing that could take an order.
    - [ ] The report of the run is signed, and its findings have owners.

    *The whole plan: printed, in the safe of the office in Berlin and in that of the warehouse; on the two emergency laptops, renewed on the first of the month.*
    ");
}
