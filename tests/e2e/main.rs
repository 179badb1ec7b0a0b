//! End to end: real processes, and with them real parts where the machine has them (`tests/run`).

mod real_parts;

#[cfg(test)]
mod real_parts_selftest;
