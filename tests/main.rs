//! All tests outside the library: one binary.
