//! A drill of a shop and its less lucky sisters, as plans and journals. Only for tests.

mod tape;

pub(crate) use tape::Tape;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::effect::*;
use crate::objects::{Made, ObjectId, Roster};
use crate::plan::{Digest, LeftOut, Part, Plan, PlannedStep, Sighting, Subject, Warning};
use crate::run::{Answer, Beginning, Entry, Event, Operator, Outcome, Phase, RunId, Verdict};
use crate::runbook::{Mode, Objectives, Owner, Policy};
use crate::text::{Text, sha256_hex};

pub(crate) const NAMESPACE: &str = "shop-drill-4k2";

pub(crate) fn now() -> Timestamp {
    "2026-11-22T22:14:07Z".parse().unwrap()
}

pub(crate) fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(1))
}

pub(crate) fn object(kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        api_version: if kind == "Deployment" { "apps/v1" } else { "v1" }.into(),
        kind: kind.into(),
        namespace: namespace.map(str::to_owned),
        name: name.into(),
    }
}

pub(crate) fn step(name: &str, kind: &str, needs: &[u32], effects: Vec<Effect>) -> PlannedStep {
    PlannedStep {
        name: name.into(),
        kind: kind.into(),
        description: None,
        needs: needs.to_vec(),
        part: Part::Done,
        policy: Policy::default(),
        last: false,
        proves_health: false,
        effects,
        undo: Vec::new(),
        notes: Vec::new(),
    }
}

fn scale(site: &str, name: &str, from: u32, to: u32) -> Effect {
    Effect::Scale(Scale {
        site: site.into(),
        id: object("Deployment", Some("shop"), name),
        from,
        to,
    })
}

fn restore(confined: bool) -> RestoreObjects {
    RestoreObjects {
        site: "west".into(),
        store: "vault".into(),
        backup: Text::known("shop-2026-11-22T2300"),
        selection: Selection {
            namespaces: vec!["shop".into()],
            ..Selection::default()
        },
        existing: Existing::Update,
        namespaces: if confined {
            vec![("shop".into(), NAMESPACE.into())]
        } else {
            vec![]
        },
        confined,
        prune_max: None,
        status: Vec::new(),
        shown: None,
        order: Vec::new(),
        cluster: ClusterScoped::None,
        allow: Vec::new(),
        changes: Box::default(),
    }
}

fn wait(namespace: &str) -> Effect {
    Effect::Await(Await {
        site: "west".into(),
        id: object("Deployment", Some(namespace), "web"),
        condition: Condition::Available { replicas: Some(3) },
    })
}

fn probe(namespace: &str) -> Effect {
    Effect::Probe(Probe {
        target: Target::Http {
            url: Text::known(format!("https://west.acme.example/{namespace}/healthz")),
            expect: HttpExpect {
                status: 200,
                body: None,
            },
        },
        successes: 2,
        interval_ms: 1000,
        look_timeout_ms: 2000,
    })
}

fn ask() -> Effect {
    Effect::Ask(Ask {
        question: Text::known("Send customers to west?"),
        by: vec!["incident-commander".into()],
        expected: Expected::Approval,
        unless_proved: Vec::new(),
    })
}

pub(crate) fn backup() -> BackupSeen {
    BackupSeen {
        name: "shop-2026-11-22T2300".into(),
        consistent_at: "2026-11-22T22:02:00Z".parse().unwrap(),
        verified_at: Some("2026-11-22T22:03:10Z".parse().unwrap()),
        writer: "lifeboat".into(),
        objects: BTreeMap::from([(String::new(), 2), ("shop".into(), 31)]),
        archive_sha256: Some("9b74c9897bac770ffc029102a200c5de4f4a3bd0d2c2c4a2dbbd6ff8bf2ad8b9".into()),
        errors: vec![],
        passed_over: vec![],
    }
}

fn preview(create: usize, update: usize, skip: usize) -> RestorePreview {
    let fates = [(Fate::Create, create), (Fate::Update, update), (Fate::Skip, skip)];
    let one = |fate, n| FateOf {
        fate,
        id: object("ConfigMap", Some("shop"), &format!("c{n}")),
        why: String::new(),
        takes_from: Vec::new(),
    };
    RestorePreview {
        backup: Some(backup()),
        fates: fates
            .into_iter()
            .flat_map(|(fate, n)| (0..n).map(move |at| one(fate, at)))
            .collect(),
        ..RestorePreview::default()
    }
}

fn site(uid: &str, server: &str) -> SiteSeen {
    SiteSeen {
        uid: uid.into(),
        version: "v1.37.2".into(),
        server: server.into(),
    }
}

fn base(mode: Mode, steps: Vec<PlannedStep>) -> Plan {
    Plan {
        format: Plan::FORMAT,
        tool: "lifeboat 0.1.0".into(),
        runbook: Subject {
            name: "shop".into(),
            title: "Online shop".into(),
            summary: Some("Customers order and pay here, day and night.".into()),
            tier: Some(1),
            owner: Some(Owner {
                team: "commerce".into(),
                contact: Some("on-call@acme.example".into()),
            }),
            people: BTreeMap::new(),
            digest: "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988".into(),
            recovery: None,
            approvals: crate::runbook::Approvals::default(),
        },
        mode,
        roles: BTreeMap::from([
            ("active".into(), "east".into()),
            ("standby".into(), "west".into()),
        ]),
        inputs: BTreeMap::from([("replicas".into(), serde_json::json!(3))]),
        objectives: Objectives {
            rto_ms: Some(1_800_000),
            rpo_ms: Some(900_000),
        },
        sites: BTreeMap::from([
            (
                "east".into(),
                site(
                    "77ab2c1d-02c4-4bd1-8a53-0d0d1c2f3e20",
                    "https://east.acme.example:6443",
                ),
            ),
            (
                "west".into(),
                site(
                    "0f0c1d6e-9f1b-4e0a-9c7e-5a4b3c2d1e91",
                    "https://west.acme.example:6443",
                ),
            ),
        ]),
        sandbox: None,
        steps,
        left_out: vec![LeftOut {
            step: "capture".into(),
            why: "protect, switchover".into(),
        }],
        sightings: vec![],
        warnings: vec![],
    }
}

/// The failover that the mock-up shows.
pub(crate) fn failover() -> Plan {
    let mut stop = step("stop-active", "scale", &[], vec![scale("east", "web", 3, 0)]);
    stop.undo = vec![scale("east", "web", 0, 3)];
    let mut up = step("web-up", "wait", &[1], vec![wait("shop")]);
    up.proves_health = true;
    let mut answers = step("answers", "probe", &[2], vec![probe("shop")]);
    answers.proves_health = true;
    let steps = vec![
        stop,
        step(
            "restore",
            "restore",
            &[0],
            vec![Effect::RestoreObjects(restore(false))],
        ),
        up,
        answers,
        step("go", "approve", &[3], vec![ask()]),
    ];
    let mut plan = base(Mode::Failover, steps);
    plan.sightings = vec![Sighting {
        query: Query::Restore(Box::new(restore(false))),
        seen: Seen::Restore(preview(31, 2, 0).into()),
    }];
    plan
}

/// The same runbook as a drill.
pub(crate) fn drill() -> Plan {
    let sandbox = Sandbox {
        id: "4k2".into(),
        site: "west".into(),
        namespaces: BTreeMap::from([("shop".into(), NAMESPACE.into())]),
    };
    let open = Effect::OpenSandbox(OpenSandbox {
        sandbox: sandbox.clone(),
    });
    let close = Effect::CloseSandbox(CloseSandbox {
        sandbox: sandbox.clone(),
        stores: vec![],
    });
    let mut stop = step("stop-active", "scale", &[0], vec![scale("east", "web", 3, 0)]);
    stop.part = Part::Skipped("it acts on east; a drill writes only on west".into());
    let mut restored = step(
        "restore",
        "restore",
        &[1],
        vec![Effect::RestoreObjects(restore(true))],
    );
    restored.description = Some("Bring back the shop's objects from the newest verified backup.".into());
    restored.notes = vec![
        "shop becomes shop-drill-4k2".into(),
        "nothing cluster-scoped, CronJobs suspended, no LoadBalancer, NodePort or Ingress".into(),
    ];
    let mut up = step("web-up", "wait", &[2], vec![wait(NAMESPACE)]);
    up.proves_health = true;
    let mut answers = step("answers", "probe", &[3], vec![probe(NAMESPACE)]);
    answers.proves_health = true;
    answers.notes = vec!["looks at the drill's own namespace".into()];
    let mut go = step("go", "approve", &[4], vec![ask()]);
    go.part = Part::Skipped("no person is asked in a drill".into());
    let mut teardown = step("drill:tear-down", "tear-down", &[], vec![close]);
    teardown.last = true;
    let steps = vec![
        step("drill:open", "sandbox", &[], vec![open]),
        stop,
        restored,
        up,
        answers,
        go,
        teardown,
    ];
    let mut plan = base(Mode::Drill, steps);
    plan.sightings = vec![
        Sighting {
            query: Query::Namespaces {
                site: "west".into(),
                names: vec![NAMESPACE.into()],
            },
            seen: Seen::Namespaces(vec![]),
        },
        Sighting {
            query: Query::Restore(Box::new(restore(true))),
            seen: Seen::Restore(preview(31, 0, 2).into()),
        },
    ];
    plan.sandbox = Some(sandbox);
    plan.warnings = vec![Warning {
        code: "P101".into(),
        message: "egress is closed by NetworkPolicy; whether the site's network enforces it is not proved"
            .into(),
        hint: Some("make sure that the standby's network plugin enforces NetworkPolicy".into()),
    }];
    plan
}

pub(crate) fn operator(name: &str) -> Operator {
    Operator {
        name: name.into(),
        host: "bastion-2".into(),
        pid: 4242,
    }
}

pub(crate) fn said(summary: &str) -> Receipt {
    Receipt {
        summary: summary.into(),
        ..Receipt::default()
    }
}

pub(crate) fn made(prefix: &str, n: usize) -> Roster {
    let one = |at| Made {
        id: object("ConfigMap", Some(NAMESPACE), &format!("{prefix}-{at}")),
        uid: format!("{prefix}-{at:04}-9f1b-4e0a-9c7e"),
    };
    (0..n).map(one).collect()
}

fn namespace() -> Made {
    Made {
        id: ObjectId::namespace(NAMESPACE),
        uid: "ns-0001-9f1b-4e0a-9c7e".into(),
    }
}

fn walls() -> Receipt {
    let mut created = Roster::from_iter([namespace()]);
    created.extend(made("policy", 2).iter());
    Receipt {
        created,
        ..said("1 namespace, closed to the outside")
    }
}

fn restored() -> Receipt {
    Receipt {
        created: made("shop", 31),
        outputs: BTreeMap::from([("backup".into(), "shop-2026-11-22T2300".into())]),
        skipped: vec!["LoadBalancer web".into(), "CronJob nightly suspended".into()],
        consistent_at: Some(backup().consistent_at),
        ..said("31 created, 2 skipped (LoadBalancer web, CronJob nightly suspended)")
    }
}

fn gone(extra: usize) -> Receipt {
    let mut deleted = walls().created;
    deleted.extend(made("shop", 31).iter());
    deleted.extend(made("endpoints", extra).iter());
    Receipt {
        deleted,
        ..said("shop-drill-4k2 is gone")
    }
}

fn up_to_restore(tape: &mut Tape) {
    tape.ok(0, 400, 0, walls())
        .skip(400, 1, "it acts on east; a drill writes only on west", true)
        .ok(410, 2_510, 2, restored());
}

/// A drill that recovers in 19 s and leaves nothing.
pub(crate) fn recovered() -> Vec<Entry> {
    let mut tape = Tape::begin(drill(), "shop-d-4k2");
    up_to_restore(&mut tape);
    tape.ok(2_520, 15_000, 3, said("3 of 3 replicas ready"))
        .ok(15_010, 19_000, 4, said("200, twice in a row"))
        .skip(19_000, 5, "no person is asked in a drill", true)
        .ok(19_010, 25_400, 6, gone(3))
        .finish(25_400, Verdict::Recovered);
    tape.entries()
}

fn not_ready() -> WorldError {
    WorldError::new(
        ErrorKind::NotYet,
        "west",
        "2 of 3 replicas ready: web-7d89-x2dnt cannot pull registry.east/shop:4.2 (i/o timeout)",
    )
    .hint("kubectl --context west -n shop-drill-4k2 describe pod web-7d89-x2dnt")
}

/// A drill whose application never becomes ready; torn down all the same.
pub(crate) fn failed() -> Vec<Entry> {
    let mut tape = Tape::begin(drill(), "shop-d-9q7");
    up_to_restore(&mut tape);
    tape.intend(2_520, 3, 1)
        .fail(302_520, 3, 1, not_ready(), Some(304_520))
        .intend(304_520, 3, 2)
        .fail(602_520, 3, 2, not_ready(), None)
        .end(602_520, 3, Outcome::Failed)
        .skip(602_520, 4, "web-up failed", false)
        .skip(602_520, 5, "no person is asked in a drill", false)
        .ok(602_530, 609_000, 6, gone(0))
        .finish(609_000, Verdict::Failed);
    tape.entries()
}

/// A drill whose teardown fails: everything is still there.
pub(crate) fn not_torn_down() -> Vec<Entry> {
    let mut tape = Tape::begin(drill(), "shop-d-x1x");
    up_to_restore(&mut tape);
    let stuck = WorldError::new(
        ErrorKind::NotYet,
        "west",
        "namespace shop-drill-4k2 is Terminating: finalizer acme.example/hold on ConfigMap shop-3",
    )
    .hint("kubectl --context west get namespace shop-drill-4k2 -o yaml");
    tape.ok(2_520, 15_000, 3, said("3 of 3 replicas ready"))
        .ok(15_010, 19_000, 4, said("200, twice in a row"))
        .skip(19_000, 5, "no person is asked in a drill", true)
        .intend(19_010, 6, 1)
        .fail(79_010, 6, 1, stuck, None)
        .end(79_010, 6, Outcome::Failed)
        .finish(79_010, Verdict::NotTornDown);
    tape.entries()
}

/// A failover that has recovered and waits for a person.
pub(crate) fn paused() -> Vec<Entry> {
    let mut tape = Tape::begin(failover(), "shop-f-77c");
    let lost = WorldError::new(ErrorKind::LostReply, "west", "the connection was reset");
    tape.ok(0, 3_000, 0, said("0 of 3 replicas left"))
        .intend(3_010, 1, 1)
        .fail(4_000, 1, 1, lost, Some(6_000))
        .intend(6_000, 1, 2)
        .perform(
            8_000,
            1,
            2,
            Receipt {
                created: made("shop", 31),
                consistent_at: Some(backup().consistent_at),
                ..said("31 created, 2 updated")
            },
        )
        .end(8_000, 1, Outcome::Succeeded)
        .ok(8_010, 28_000, 2, said("3 of 3 replicas ready"))
        .ok(28_010, 30_000, 3, said("200, twice in a row"))
        .intend(30_010, 4, 1)
        .push(
            30_020,
            Event::Paused {
                by: "lifeboat".into(),
                reason: "go waits for a person and nobody is at the terminal".into(),
            },
        );
    tape.entries()
}

/// The same failover, taken up again and rejected.
pub(crate) fn rejected() -> Vec<Entry> {
    let mut entries = Tape {
        entries: paused(),
        began: now(),
        prev: String::new(),
    };
    entries
        .push(
            95_000,
            Event::Resumed {
                operator: operator("ben"),
            },
        )
        .push(
            120_000,
            Event::Answered {
                step: 4,
                answer: Answer::No,
                by: "ben".into(),
                role: Some("incident-commander".into()),
                reason: "prices are wrong".into(),
                from: None,
                plan: None,
            },
        )
        .fail(
            120_000,
            4,
            1,
            WorldError::new(ErrorKind::Declined, "ben", "prices are wrong"),
            None,
        )
        .end(120_000, 4, Outcome::Failed)
        .finish(120_010, Verdict::Failed);
    entries.entries()
}

/// What a hostile name tries: leave the element, the attribute, the fence, the line, the terminal.
pub(crate) const HOSTILE: &str = "\"]'><script>alert(1)</script>|`\n## x\u{1b}[2K\u{202e}&amp;";

/// A failed drill in which every text that the world or an author supplies is hostile.
pub(crate) fn hostile() -> Vec<Entry> {
    let mut plan = drill();
    plan.runbook.title = HOSTILE.into();
    plan.runbook.name = HOSTILE.into();
    plan.runbook.summary = Some(HOSTILE.into());
    plan.steps[2].name = HOSTILE.into();
    plan.steps[2].description = Some(HOSTILE.into());
    plan.steps[2].notes = vec![HOSTILE.into()];
    plan.steps[5].part = Part::Skipped(HOSTILE.into());
    plan.left_out = vec![LeftOut {
        step: HOSTILE.into(),
        why: HOSTILE.into(),
    }];
    plan.warnings = vec![Warning {
        code: HOSTILE.into(),
        message: HOSTILE.into(),
        hint: Some(HOSTILE.into()),
    }];
    plan.roles = BTreeMap::from([(HOSTILE.into(), HOSTILE.into())]);
    plan.inputs = BTreeMap::from([(HOSTILE.into(), serde_json::json!(HOSTILE))]);
    let mut tape = Tape::begin(plan, "shop-d-bad");
    let error = WorldError::new(ErrorKind::Rejected, HOSTILE, HOSTILE).hint(HOSTILE);
    let receipt = Receipt {
        created: Roster::from_iter([Made {
            id: object(HOSTILE, Some(HOSTILE), HOSTILE),
            uid: HOSTILE.into(),
        }]),
        warnings: vec![HOSTILE.into()],
        ..said(HOSTILE)
    };
    tape.ok(0, 400, 0, receipt)
        .intend(500, 2, 1)
        .fail(900, 2, 1, error, None)
        .end(900, 2, Outcome::Failed)
        .push(
            1_000,
            Event::Paused {
                by: HOSTILE.into(),
                reason: HOSTILE.into(),
            },
        );
    tape.entries()
}

/// A plan of `n` steps in a mesh: each needs up to three before it.
pub(crate) fn mesh(n: u32) -> Plan {
    let needs = |at: u32| {
        [1, 3, 7]
            .into_iter()
            .filter_map(|back| at.checked_sub(back * (1 + at % 3)))
            .collect::<Vec<_>>()
    };
    let steps = (0..n)
        .map(|at| step(&format!("step-{at}"), "wait", &needs(at), vec![wait("shop")]))
        .collect();
    base(Mode::Failover, steps)
}
