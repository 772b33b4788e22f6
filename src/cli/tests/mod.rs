//! Whole runs on the simulator, begun and taken up again as the commands do it.
//!
//! `crash`: every playbook and example, cut off, failing and repeated at every place there is.

mod crash;
