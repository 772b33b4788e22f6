//! Whole runs on the simulator, begun and taken up again as the commands do it.
//!
//! `crash`: every playbook and example, cut off, failing and repeated at every place there is.
//! `torture`: several operators, machines, mirrors and every fault at once, as the seed says.

mod crash;
mod torture;
