//! Scenario files: how they are read, what is said of wrong ones, and their plans.

mod cluster;
mod files;
mod reading;
