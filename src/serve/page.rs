//! The board for people: one page, in the look of the reports, without a script.

use jiff::Timestamp;

use super::board::{Board, Line, Service};
use crate::report::{
    Block, Document, Ending, Look, Marked, Measure, Ready, Section, Summary, Table, Tone, age, between_ms,
    duration, ending_word, moment,
};

/// The page as HTML.
pub fn page(board: &Board) -> String {
    document(board).html()
}

fn document(board: &Board) -> Document {
    Document {
        look: Look::Overview,
        title: "Could it be recovered now?".to_owned(),
        subtitle: format!("lifeboat · as of {}", moment(board.at, &board.zone)),
        verdict: verdict(board),
        sections: vec![services(board), schedule(board), runs(board)],
        tool: crate::TOOL.to_owned(),
        footer: format!("{} · {}", crate::TOOL, moment(board.at, &board.zone)),
    }
}

fn verdict(board: &Board) -> Marked {
    if !board.troubles.is_empty() {
        return Marked::new("Schedules are not served as they should be.", Tone::Bad);
    }
    let count = |state: Ready| {
        let of = board.services.iter();
        of.filter(|service| service.readiness.state == state).count()
    };
    let (bad, doubt) = (
        count(Ready::NotReady) + count(Ready::NeverProven),
        count(Ready::NeedsAttention),
    );
    let all = board.services.len();
    match (bad, doubt) {
        _ if all == 0 => Marked::new("No runbook is served.", Tone::Doubt),
        (0, 0) => Marked::new(
            format!("All {all} proved, lately, and unchanged since."),
            Tone::Good,
        ),
        (0, _) => Marked::new(format!("{doubt} of {all} need attention."), Tone::Doubt),
        _ => Marked::new(
            format!("{bad} of {all} are not ready or were never proven."),
            Tone::Bad,
        ),
    }
}

fn services(board: &Board) -> Section {
    let mut blocks: Vec<Block> = board
        .troubles
        .iter()
        .map(|trouble| Block::Notice(Marked::new(trouble.clone(), Tone::Bad)))
        .collect();
    blocks.push(Block::Table(Table {
        caption: "What was proved, and when it is proved next",
        head: &[
            "Service",
            "State",
            "Last proof",
            "Recovery time",
            "Data loss",
            "Next due",
        ],
        rows: board
            .services
            .iter()
            .map(|service| service_row(service, board))
            .collect(),
    }));
    for service in &board.services {
        blocks.extend(reasons(service));
    }
    Section::new("services", "Services", blocks)
}

fn service_row(service: &Service, board: &Board) -> Vec<Marked> {
    let of = &service.readiness;
    let proof = of.proof.as_ref();
    let last = match proof {
        None => Marked::new("none", Tone::Muted),
        Some(proof) => {
            let ago = between_ms(proof.at, board.at)
                .map_or("in the future".to_owned(), |ms| format!("{} ago", age(ms)));
            Marked::plain(format!("{}, {ago}", proof.mode)).to(Some(report_of(&proof.run)))
        }
    };
    let next = service
        .lines
        .iter()
        .filter_map(|line| Some((line.next?, line.mode)))
        .min();
    let next = match (&service.under_way, next) {
        (Some((run, _)), _) => Marked::new(format!("now: {run}"), Tone::Doubt),
        (None, Some((at, mode))) => Marked::plain(format!("{mode}, {}", soon(at, board))),
        (None, None) => Marked::new("not scheduled", Tone::Muted),
    };
    vec![
        Marked::plain(of.title.clone()),
        Marked::new(of.state.word(), tone(of.state)),
        last,
        against(proof.map(|proof| &proof.rto), of.objectives.rto_ms),
        against(proof.map(|proof| &proof.rpo), of.objectives.rpo_ms),
        next,
    ]
}

/// Why it is not simply ready.
fn reasons(service: &Service) -> Vec<Block> {
    let of = &service.readiness;
    let mut list: Vec<Marked> = Vec::new();
    if let Some(why) = &service.broken {
        list.push(Marked::new(
            format!("its runbook cannot be read now: {why}"),
            Tone::Bad,
        ));
    }
    let because = of.because.iter();
    list.extend(because.map(|reason| Marked::new(reason.text.clone(), tone(reason.state))));
    if list.is_empty() {
        return Vec::new();
    }
    vec![Block::Heading(of.title.clone()), Block::List(list)]
}

fn schedule(board: &Board) -> Section {
    let mut blocks = Vec::new();
    let lines = || {
        let services = board.services.iter();
        services.flat_map(|service| service.lines.iter().map(move |line| (service, line)))
    };
    for (service, line) in lines() {
        if let Some(held) = &line.held {
            let words = format!("{} {} waits: {held}", service.readiness.service, line.name);
            blocks.push(Block::Notice(Marked::new(words, Tone::Doubt)));
        }
    }
    blocks.push(Block::Table(Table {
        caption: "What begins by itself, and what became of it",
        head: &[
            "Line",
            "When",
            "Next",
            "Last due time",
            "Fired",
            "Skipped",
            "Missed",
        ],
        rows: lines()
            .map(|(service, line)| line_row(service, line, board))
            .collect(),
    }));
    blocks.push(Block::Source(
        "From the ledger of due times: each ends once, as fired, skipped or missed.".to_owned(),
    ));
    Section::new("schedule", "Schedule", blocks)
}

fn line_row(service: &Service, line: &Line, board: &Board) -> Vec<Marked> {
    let count = |count: u64, tone: Tone| match count {
        0 => Marked::plain("0"),
        count => Marked::new(count.to_string(), tone),
    };
    vec![
        Marked::plain(format!("{} {}", service.readiness.service, line.name)),
        Marked::plain(line.when.clone()),
        line.next.map_or(Marked::new("never", Tone::Bad), |at| {
            Marked::plain(soon(at, board))
        }),
        last(line, board),
        count(line.counts.fired, Tone::Neutral),
        count(line.counts.skipped, Tone::Doubt),
        count(line.counts.missed, Tone::Bad),
    ]
}

fn last(line: &Line, board: &Board) -> Marked {
    use super::ledger::End;
    let Some((due, end)) = &line.last else {
        return Marked::new("none yet", Tone::Muted);
    };
    let at = moment(*due, &board.zone);
    match end {
        End::Fired(run) => Marked::plain(format!("{at}: {run}")).to(Some(report_of(run))),
        End::Skipped(why) => Marked::new(format!("{at}: skipped, {why}"), Tone::Doubt),
        End::Missed(why) => Marked::new(format!("{at}: missed, {why}"), Tone::Bad),
    }
}

fn runs(board: &Board) -> Section {
    let mut runs: Vec<&Summary> = board.services.iter().flat_map(|service| &service.runs).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.began_at));
    let blocks = if runs.is_empty() {
        vec![Block::Paragraph("There are no runs yet.".to_owned())]
    } else {
        vec![Block::Table(Table {
            caption: "The newest runs",
            head: &["Run", "Mode", "Ended as", "Began", "Recovery time", "Data loss"],
            rows: runs.into_iter().map(|run| run_row(run, board)).collect(),
        })]
    };
    Section::new("runs", "Runs", blocks)
}

fn run_row(run: &Summary, board: &Board) -> Vec<Marked> {
    let measured = |measure: &Measure| {
        measure
            .measured_ms
            .map_or(Marked::new("–", Tone::Muted), |ms| Marked::plain(duration(ms)))
    };
    let link = run.is_over().then(|| report_of(&run.run.0));
    vec![
        Marked::plain(run.run.0.clone()).to(link),
        Marked::plain(run.mode.word()),
        Marked::new(ending_word(run.ending()), tone_of(run.ending())),
        Marked::plain(moment(run.began_at, &board.zone)),
        measured(&run.rto),
        measured(&run.rpo),
    ]
}

const fn tone_of(ending: Ending) -> Tone {
    match ending {
        Ending::Recovered => Tone::Good,
        Ending::RecoveredWithFailures | Ending::Paused | Ending::Open => Tone::Doubt,
        Ending::Failed | Ending::Undone | Ending::Stopped | Ending::NotTornDown => Tone::Bad,
    }
}

const fn tone(state: Ready) -> Tone {
    match state {
        Ready::Ready => Tone::Good,
        Ready::NeedsAttention => Tone::Doubt,
        Ready::NotReady | Ready::NeverProven => Tone::Bad,
    }
}

/// `19 s of 30 m`: measured against what is promised today.
fn against(measure: Option<&Measure>, target_ms: Option<u64>) -> Marked {
    let measured = measure.and_then(|one| one.measured_ms);
    let tone = match (measured, target_ms) {
        (Some(took), Some(target)) if took > target => Tone::Bad,
        (None, Some(_)) => Tone::Muted,
        _ => Tone::Neutral,
    };
    let took = measured.map_or_else(|| "not measured".to_owned(), duration);
    match target_ms {
        Some(target) => Marked::new(format!("{took} of {}", duration(target)), tone),
        None => Marked::new(took, tone),
    }
}

/// `2026-11-22 02:30:00 +01:00, in 3 h 10 m`.
fn soon(at: Timestamp, board: &Board) -> String {
    let wait = match between_ms(board.at, at) {
        Some(ms) => format!("in {}", age(ms)),
        None => "now".to_owned(),
    };
    format!("{}, {wait}", moment(at, &board.zone))
}

/// Where the server of this page has the report of a run.
pub fn report_of(run: &str) -> String {
    format!("/runs/{run}/report.html")
}
