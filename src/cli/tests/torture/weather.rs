//! Everything that can go wrong between a process and the rest of the world, decided by the seed.
//!
//! Each seed has a mixture of its own: some faults often, some never. Each process has a stream of chance of
//! its own for each place, so that what one meets does not depend on what others did a moment before.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::chronicle::{Chronicle, Happening};
use super::dice::Dice;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after this long.
    Arrives(u64),
    /// There is no way.
    Unreachable,
    /// 429 or 503.
    Busy,
    /// It was sent and never arrives.
    LostBefore,
    /// It arrives, and the answer does not.
    LostAfter(u64),
    /// It arrives so much later, when nobody expects it any more.
    Held(u64),
    /// 409 of a store that wrote nothing.
    EmptyConflict,
    /// A listing without its newest entry.
    Stale(u64),
}

/// What a request is, as far as its fate depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Read,
    Change,
    Create,
    /// Whether a listing is stale, besides being a read.
    List,
}

/// How often things happen, in a thousand requests.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    unreachable: u64,
    busy: u64,
    lost_before: u64,
    lost_after: u64,
    held: u64,
    empty_conflict: u64,
    stale: u64,
    /// Of ten thousand writes.
    pub(super) disk_full: u64,
    pub(super) short_write: u64,
    pub(super) sync_fails: u64,
    /// Clocks differ by up to so many hours.
    pub(super) skew_h: u64,
    /// Of a hundred processes, so many are killed.
    pub(super) kills: u64,
    /// Of a hundred kills, so many lose what is not on the disk.
    pub(super) power: u64,
}

impl Rates {
    fn drawn(dice: &mut Dice) -> Self {
        let mut rate = |often: u64| {
            if dice.permille(500) {
                dice.below(often) + 1
            } else {
                0
            }
        };
        Self {
            unreachable: rate(60),
            busy: rate(60),
            lost_before: rate(50),
            lost_after: rate(80),
            held: rate(60),
            empty_conflict: rate(60),
            stale: rate(60),
            disk_full: rate(150),
            short_write: rate(150),
            sync_fails: rate(150),
            skew_h: rate(90_000),
            kills: 30 + rate(60),
            power: rate(100),
        }
    }
}

/// A time in which a machine does not reach a place.
#[derive(Clone, Debug)]
struct Partition {
    machine: String,
    place: String,
    from_ms: u64,
    to_ms: u64,
}

pub(super) struct Weather {
    seed: u64,
    chronicle: Chronicle,
    pub(super) rates: Rates,
    partitions: Vec<Partition>,
    /// From then on the sun shines.
    pub(super) until_ms: u64,
    streams: Mutex<BTreeMap<(String, String), Dice>>,
}

impl Weather {
    pub(super) fn of(
        seed: u64,
        until_ms: u64,
        machines: &[String],
        places: &[String],
        chronicle: Chronicle,
    ) -> Self {
        let mut dice = Dice::stream(seed, "weather");
        let rates = Rates::drawn(&mut dice);
        let mut partitions = Vec::new();
        for machine in machines {
            for place in places {
                if dice.permille(250) {
                    let from_ms = dice.below(until_ms);
                    partitions.push(Partition {
                        machine: machine.clone(),
                        place: place.clone(),
                        from_ms,
                        to_ms: from_ms + dice.between(1_000, 600_000),
                    });
                }
            }
        }
        Self {
            seed,
            chronicle,
            rates,
            partitions,
            until_ms,
            streams: Mutex::default(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.chronicle.now_ms() >= self.until_ms
    }

    /// One draw of a process for a place.
    pub(super) fn draw<T>(&self, who: &str, place: &str, draw: impl FnOnce(&mut Dice) -> T) -> T {
        let mut streams = self.streams.lock().unwrap();
        let key = (who.to_owned(), place.to_owned());
        let stream = streams
            .entry(key)
            .or_insert_with(|| Dice::stream(self.seed, &format!("{who} {place}")));
        draw(stream)
    }

    /// What becomes of a request.
    pub(super) fn fate(&self, who: &str, place: &str, sort: Sort) -> Fate {
        let now_ms = self.chronicle.now_ms();
        let fate = self.draw(who, place, |dice| self.drawn(dice, sort));
        if now_ms >= self.until_ms {
            return Fate::Arrives(1);
        }
        let machine = who.split('/').next().unwrap_or(who);
        let cut_off = self.partitions.iter().any(|cut| {
            cut.machine == machine && cut.place == place && (cut.from_ms..cut.to_ms).contains(&now_ms)
        });
        let fate = if cut_off { Fate::Unreachable } else { fate };
        if !matches!(fate, Fate::Arrives(_)) {
            self.chronicle
                .write(who, Happening::Fault(format!("{place} {sort:?} {fate:?}")));
        }
        fate
    }

    fn drawn(&self, dice: &mut Dice, sort: Sort) -> Fate {
        let rates = &self.rates;
        // Always as many draws, so that one fault does not move all the others.
        let (chance, wait_ms, long_ms) = (
            dice.below(1000),
            dice.between(1, 40),
            dice.between(1_000, 600_000),
        );
        let changes = matches!(sort, Sort::Change | Sort::Create);
        let only = |is: bool, rate: u64| if is { rate } else { 0 };
        let asks = sort != Sort::List;
        let table = [
            (only(asks, rates.unreachable), Fate::Unreachable),
            (only(asks, rates.busy), Fate::Busy),
            (only(asks, rates.lost_before), Fate::LostBefore),
            (only(changes, rates.lost_after), Fate::LostAfter(wait_ms)),
            (only(changes, rates.held), Fate::Held(long_ms)),
            (
                only(sort == Sort::Create, rates.empty_conflict),
                Fate::EmptyConflict,
            ),
            (only(sort == Sort::List, rates.stale), Fate::Stale(wait_ms)),
        ];
        let mut from = 0;
        for (rate, fate) in table {
            if (from..from + rate).contains(&chance) {
                return fate;
            }
            from += rate;
        }
        Fate::Arrives(wait_ms)
    }
}
