//! Whole runs on the simulator, begun and taken up again as the commands do it.
//!
//! `crash`: every playbook and example, cut off, failing and repeated at every place there is.
//! `torture`: several operators, machines, mirrors and every fault at once, as the seed says.
//! `wrong_target`: recoveries that are meant for something else than what they would change.

mod crash;
mod torture;
mod wrong_target;
