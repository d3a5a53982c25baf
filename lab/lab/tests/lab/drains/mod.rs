//! Drains, case by case: what a process does for each kind of peer when SIGTERM or SIGINT comes, seen from outside.

mod calls;
mod cuts;
mod idle;
mod support;
