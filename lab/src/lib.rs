//! Both services in one binary that starts itself as real processes.
