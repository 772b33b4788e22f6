//! The list as a tired person reads it.

use super::*;
use crate::effect::{ErrorKind, Lack};
use crate::report::sample;

fn asked(plan: &Plan) -> Asked {
    Asked {
        sites: plan
            .sites
            .iter()
            .map(|(site, seen)| (site.clone(), Ok(seen.clone())))
            .collect(),
        stores: [("vault".to_owned(), Ok(()))].into(),
        pinned: ["west".to_owned(), "vault".to_owned()].into(),
        rights: rights(plan).into_iter().map(|right| (right, Ok(true))).collect(),
        ..Asked::default()
    }
}

fn text(plan: &Plan, asked: &Asked) -> String {
    preflight_text(&preflight(plan, asked, sample::now()), 80)
}

#[test]
fn everything_that_a_failover_rests_on_is_in_one_list() {
    let plan = sample::failover();
    insta::assert_snapshot!(text(&plan, &asked(&plan)), @r"
    warn  site east       Kubernetes v1.37.2 at https://east.acme.example:6443,
                          identity 77ab2c…20, which nobody pinned
                          to do: compare, then: lifeboat sites pin east
    ok    site west       Kubernetes v1.37.2 at https://west.acme.example:6443,
                          identity 0f0c1d…91 as pinned
    ok    store vault     answers, as pinned
    ok    rights east     3 of 3 granted
    ok    rights west     5 of 5 granted
    ok    target restore  kinds, classes and room in quotas are there for 33
                          objects
    ok    data            backup shop-2026-11-22T2300 is 12 m 7 s old, verified
                          10 m 57 s ago; RPO 15 m
    ");
}

#[test]
fn what_is_wrong_says_what_to_do_and_what_nobody_knows_is_said() {
    let mut plan = sample::failover();
    let mut asked = asked(&plan);
    let gone = WorldError::new(ErrorKind::Unreachable, "east", "the TLS handshake timed out");
    asked.sites.insert("east".into(), Err(gone));
    asked.stores.insert(
        "usb".into(),
        Err(WorldError::new(ErrorKind::Unreachable, "usb", "no route")),
    );
    for (right, held) in &mut asked.rights {
        *held = Ok(right.verb != "patch");
    }
    for sighting in &mut plan.sightings {
        if let Seen::Restore(preview) = &mut sighting.seen {
            std::sync::Arc::make_mut(preview).lacks = vec![Lack {
                what: "west has no StorageClass fast".into(),
                then: "their pods wait for ever".into(),
                hint: "make it, or map it with `map`".into(),
                ..Lack::default()
            }];
        }
    }
    plan.objectives.rpo_ms = Some(60_000);
    insta::assert_snapshot!(text(&plan, &asked), @r"
    warn           site east       does not answer: the TLS handshake timed out.
                                   That is not the same as down
                                   to do: find out whether it still serves: it
                                          may write while nobody can see it
    ok             site west       Kubernetes v1.37.2 at
                                   https://west.acme.example:6443, identity
                                   0f0c1d…91 as pinned
    warn           store usb       does not answer: no route
                                   to do: lifeboat doctor says what it does
    ok             store vault     answers, as pinned
    not checkable  rights east     3 rights needed, and the site does not answer
    fail           rights west     1 of 5 refused: patch configmaps in shop
                                   to do: have them granted, then look again;
                                          `lifeboat explain <kind>` says what
                                          each kind of step needs
    warn           target restore  west has no StorageClass fast: their pods
                                   wait for ever
                                   to do: make it, or map it with `map`
    warn           data            older than the objective: backup
                                   shop-2026-11-22T2300 is 12 m 7 s old,
                                   verified 10 m 57 s ago; RPO 1 m
                                   to do: look for a newer one: lifeboat
                                          backups; or accept the loss
    ");
    assert_eq!(worst(&preflight(&plan, &asked, sample::now())), Fitness::Fail);
}

#[test]
fn a_star_that_is_refused_is_no_refusal_of_what_is_meant() {
    let mut plan = sample::failover();
    plan.sightings.clear();
    let mut asked = asked(&plan);
    for (right, held) in &mut asked.rights {
        *held = Ok(right.resource != "*");
    }
    let checks = preflight(&plan, &asked, sample::now());
    let west = checks
        .iter()
        .find(|one| one.about == About::Rights && one.at == "west")
        .unwrap();
    assert_eq!(west.fitness, Fitness::NotCheckable, "{west:?}");
}

#[test]
fn a_dns_server_is_asked_whether_it_would_and_what_that_does_not_show_is_said() {
    let plan = sample::failover();
    let mut asked = Asked::default();
    let open = "whether the key may change this very name, only a change shows";
    let answers = [
        Ok(Would::Accept),
        Ok(Would::Refuse(
            "it has another secret for the key lifeboat (BADSIG)".into(),
        )),
        Ok(Would::Unknown("it has A 203.0.113.9".into())),
        Err(WorldError::new(ErrorKind::Unreachable, "corp", "cannot connect").hint("look at the way there")),
    ];
    for answer in answers {
        let answer = answer.map(|answer| Rehearsal::Whole {
            answer,
            open: open.into(),
        });
        asked
            .names
            .push(("corp".into(), "shop.acme.example".into(), answer));
    }
    let checks = preflight(&plan, &asked, sample::now());
    let about: Vec<Check> = checks.into_iter().filter(|one| one.about == About::Dns).collect();
    insta::assert_snapshot!(preflight_text(&about, 80), @"
    ok             dns corp  takes the key, and shop.acme.example is as planned;
                             whether the key may change this very name, only a
                             change shows
    fail           dns corp  would not change shop.acme.example: it has another
                             secret for the key lifeboat (BADSIG)
                             to do: have it let this key change the name, or
                                    plan again
    not checkable  dns corp  it has A 203.0.113.9
    fail           dns corp  cannot connect
                             to do: look at the way there
    ");
}

#[test]
fn who_cannot_be_told_is_worth_a_thought_and_holds_nothing_up() {
    let plan = sample::failover();
    let mut asked = Asked::default();
    let whole = |answer, open: &str| {
        Ok(Rehearsal::Whole {
            answer,
            open: open.into(),
        })
    };
    let well =
        "hooks.example:443 answers, and what it needs is here; whether it is taken, only telling shows";
    let gone = "cannot read the key in /run/secrets/hooks: No such file or directory (os error 2)";
    asked.receivers = [
        ("board".to_owned(), whole(Would::Accept, well)),
        ("on-call".to_owned(), whole(Would::Refuse(gone.into()), "")),
    ]
    .into();
    let mut checks = preflight(&plan, &asked, sample::now());
    checks.retain(|one| one.about == About::Receiver);
    insta::assert_snapshot!(preflight_text(&checks, 80), @"
    ok    notify board    hooks.example:443 answers, and what it needs is here;
                          whether it is taken, only telling shows
    warn  notify on-call  cannot read the key in /run/secrets/hooks: No such
                          file or directory (os error 2)
                          to do: mend its address or key, or go on: it would be
                                 told nothing
    ");
    assert_eq!(worst(&checks), Fitness::Warn);
}
