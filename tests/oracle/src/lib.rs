//! Says what the verdict of a run had to be, from what the broker wrote down.
