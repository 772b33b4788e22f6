//! Both renderers over whole runs.

use super::*;
use crate::report::forecast::Expected;
use crate::report::lines::width;
use crate::report::sample;
use crate::run::Entry;

fn options() -> LiveOptions {
    let usual = |name: &str, p50_ms| {
        (
            name.to_owned(),
            Expected {
                p50_ms,
                source: "3 drills".into(),
            },
        )
    };
    LiveOptions {
        journal: "./.lifeboat/runs/shop-d-4k2".into(),
        estimates: [
            usual("drill:open", 500),
            usual("restore", 2_000),
            usual("web-up", 12_000),
            usual("answers", 4_000),
        ]
        .into(),
        colour: false,
    }
}

/// Feeds a run with a tick every second between its entries.
fn play(live: &mut dyn Live, entries: &[Entry]) {
    let mut now_ms = 0;
    for entry in entries {
        while now_ms + 1000 < entry.elapsed_ms {
            now_ms += 1000;
            live.tick(now_ms).unwrap();
        }
        now_ms = entry.elapsed_ms;
        live.entry(entry).unwrap();
    }
    live.finish().unwrap();
}

fn plain(entries: &[Entry]) -> String {
    let mut out = Vec::new();
    play(&mut Plain::new(&mut out, options()), entries);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plain_drill_reads_line_by_line() {
    insta::assert_snapshot!(plain(&sample::recovered()), @r"
    Drill shop-d-4k2 of shop on west, in shop-drill-4k2, closed to the outside.
    Journal: ./.lifeboat/runs/shop-d-4k2
    00:00  now   drill:open                 sandbox shop-drill-4k2, default-deny egress
    00:00  ok    drill:open       0.4 s     1 namespace, closed to the outside
    00:00  skip  stop-active                it acts on east; a drill writes only on west
    00:00  now   restore                    restore shop-2026-11-22T2300 from vault into shop-drill-4k2
    00:02  ok    restore          2.1 s     31 created, 2 skipped (LoadBalancer web, CronJob nightly suspended)
    00:02  now   web-up                     wait Deployment shop-drill-4k2/web available (3 replicas)
    00:11  now   web-up           9 s       wait Deployment shop-drill-4k2/web available (3 replicas); usually 12 s; gives up in 9 m 51 s
    00:11  next                             answers, then drill:tear-down
    00:11  RTO                              00:11 of 30:00   on course (expected 00:18)
    00:15  ok    web-up           13 s      3 of 3 replicas ready
    00:15  now   answers                    probe GET https://west.acme.example/shop-drill-4k2/healthz = 200
    00:19  ok    answers          4 s       200, twice in a row
    00:19  skip  go                         no person is asked in a drill
    00:19  now   drill:tear-down            tear down shop-drill-4k2 and everything in it
    00:25  ok    drill:tear-down  6.4 s     shop-drill-4k2 is gone
    ");
}

#[test]
fn a_plain_failover_shows_the_retry_and_the_question() {
    insta::assert_snapshot!(plain(&sample::paused()), @r#"
    Failover shop-f-77c of shop east → west.
    Journal: ./.lifeboat/runs/shop-d-4k2
    00:00  now   stop-active            scale Deployment shop/web  3 → 0
    00:03  ok    stop-active  3 s       0 of 3 replicas left
    00:03  now   restore                restore shop-2026-11-22T2300 from vault into shop
    00:04  wait  restore                try 1 of 3 failed: west: the connection was reset; tried again in 2 s
    00:06  now   restore                try 2: restore shop-2026-11-22T2300 from vault into shop
    00:08  ok    restore      5 s       31 created, 2 updated
    00:08  now   web-up                 wait Deployment shop/web available (3 replicas)
    00:17  now   web-up       9 s       wait Deployment shop/web available (3 replicas); usually 12 s; gives up in 9 m 51 s
    00:17  next                         answers
    00:17  RTO                          00:17 of 30:00   expected time unknown
    00:26  now   web-up       18 s      wait Deployment shop/web available (3 replicas); usually 12 s; gives up in 9 m 42 s
    00:26  next                         answers
    00:26  RTO                          00:26 of 30:00   expected time unknown
    00:28  ok    web-up       20 s      3 of 3 replicas ready
    00:28  now   answers                probe GET https://west.acme.example/shop/healthz = 200
    00:30  ok    answers      2 s       200, twice in a row
    00:30  ask   go                     "Send customers to west?" (incident-commander): lifeboat approve shop-f-77c go --as <name> --role incident-commander --reason "…"
    00:30  note                         paused by lifeboat: go waits for a person and nobody is at the terminal; go on: lifeboat resume shop-f-77c
    "#);
}

#[test]
fn a_failed_step_says_what_a_person_can_decide() {
    let mut tape = sample::Tape::begin(sample::failover(), "shop-f-1");
    let stuck = crate::effect::WorldError::new(crate::effect::ErrorKind::Forbidden, "east", "no");
    tape.intend(0, 0, 1)
        .fail(10, 0, 1, stuck, None)
        .end(10, 0, crate::run::Outcome::Failed);
    let text = plain(&tape.entries());
    let orders = "lifeboat retry | mark-done | skip shop-f-1 stop-active --as <name> --reason \"…\"";
    assert!(text.contains(orders), "{text}");
}

#[test]
fn plain_is_never_silent_for_more_than_ten_seconds() {
    let text = plain(&sample::failed());
    let seconds = |line: &str| {
        let (minutes, seconds) = line.split_once("  ")?.0.split_once(':')?;
        Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
    };
    let times: Vec<_> = text.lines().filter_map(seconds).collect();
    assert!(
        times.len() > 60 && times.windows(2).all(|pair| pair[1] - pair[0] <= 10),
        "{text}"
    );
}

/// What a terminal shows after these bytes; `None` if a line was wider than the screen.
fn screen(bytes: &[u8], columns: usize) -> Option<Vec<String>> {
    let mut lines = vec![String::new()];
    let mut row = 0_usize;
    let mut rest = std::str::from_utf8(bytes).unwrap();
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\x1b[A") {
            row = row.checked_sub(1)?;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\r\x1b[2K") {
            lines[row].clear();
            rest = after;
        } else {
            if c == '\n' {
                row += 1;
                if row == lines.len() {
                    lines.push(String::new());
                }
            } else {
                lines[row].push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    let region = &lines[lines.len().saturating_sub(1)..];
    region.iter().all(|line| width(line) < columns).then_some(lines)
}

fn interactive(entries: &[Entry], columns: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut live = Interactive::new(&mut out, options(), columns);
    for entry in entries {
        live.entry(entry).unwrap();
    }
    live.progress(
        3,
        "2 of 3 replicas ready, waiting for web-7d89-x2dnt (image pull)",
        10_520,
    )
    .unwrap();
    drop(live);
    out
}

#[test]
fn the_interactive_screen_shows_what_is_done_now_next_and_the_clock() {
    let entries = sample::recovered();
    let lines = screen(&interactive(&entries[..9], 120), 120).unwrap();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Drill shop-d-4k2 of shop on west, in shop-drill-4k2, closed to the outside.
    Journal: ./.lifeboat/runs/shop-d-4k2

      ok    drill:open       0.4 s     1 namespace, closed to the outside
      skip  stop-active                it acts on east; a drill writes only on west
      ok    restore          2.1 s     31 created, 2 skipped (LoadBalancer web, CronJob nightly suspended)
      now   web-up           8 s       2 of 3 replicas ready, waiting for web-7d89-x2dnt (image pull); usually 12 s; gives…
      next  answers, then drill:tear-down
      RTO   00:10 of 30:00   on course (expected 00:18)
    "#);
}

#[test]
fn a_narrow_screen_cuts_the_region_and_never_wraps_it() {
    let entries = sample::recovered();
    let lines = screen(&interactive(&entries[..9], 40), 40).unwrap();
    let region = &lines[lines.len() - 3..];
    assert!(region.iter().all(|line| width(line) < 40), "{region:#?}");
    assert!(region[0].ends_with('…'), "{region:#?}");
}

#[test]
fn the_region_is_redrawn_at_most_five_times_a_second_and_gone_at_the_end() {
    let entries = sample::recovered();
    let mut out = Vec::new();
    let mut live = Interactive::new(&mut out, options(), 80);
    entries[..9].iter().for_each(|entry| live.entry(entry).unwrap());
    for now_ms in 3_000..4_000 {
        live.tick(now_ms).unwrap();
    }
    live.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.matches("RTO").count() <= 9 + 6, "{text}");
    assert!(
        !screen(text.as_bytes(), 80)
            .unwrap()
            .iter()
            .any(|line| line.contains("RTO"))
    );
}

#[test]
fn hostile_names_do_not_steer_the_terminal() {
    for text in [
        plain(&sample::hostile()),
        String::from_utf8(interactive(&sample::hostile(), 80)).unwrap(),
    ] {
        assert!(
            !text
                .replace("\r\x1b[2K", "")
                .replace("\x1b[A", "")
                .contains('\x1b'),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'));
    }
}

#[test]
fn colour_only_repeats_a_word() {
    let line = Line::new(Word::Fail, "web-up", "8 s", "2 of 3 replicas ready");
    let drawn = line.draw(8);
    let painted = coloured(&drawn, Word::Fail, true);
    assert_ne!(painted, drawn);
    assert_eq!(anstream::adapter::strip_str(&painted).to_string(), drawn);
}

#[test]
fn a_drill_that_is_torn_down_after_a_failure_is_not_on_course() {
    let entries = sample::failed();
    let lines = screen(&interactive(&entries[..entries.len() - 3], 80), 80).unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("not on course: web-up failed")),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("lifeboat retry")),
        "nobody is asked: {lines:#?}"
    );
}
