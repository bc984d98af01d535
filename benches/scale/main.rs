//! `cargo bench --bench scale [-- --sizes 1000,10000,100000,800000]`: whole commands on one shape of
//! workspace, growing, beside what the machine can do at best.
//!
//! Every figure is a median of one run. Bounds are measured in the same run on the same files and
//! rows, so that the ratios mean the same on any machine. The table goes to stdout as Markdown,
//! progress to stderr.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark prints ratios"
)]

mod bounds;
mod report;
mod rows;
mod shape;
mod terraform;
mod watching;

/// Resources of one customer.
pub const SHAPE: usize = 8;

/// What was measured at one size.
#[derive(Debug, Default)]
pub struct Size {
    pub resources: usize,
    /// By name, in order, in seconds.
    pub bounds: Vec<(&'static str, f64)>,
    /// By name, in order: seconds, peak memory in kilobytes.
    pub rows: Vec<(&'static str, f64, u64)>,
    /// Bytes of the database after the first apply.
    pub database: u64,
    /// Bytes of the memory beside it.
    pub memory: u64,
    /// Activities in the log when it was verified.
    pub activities: u64,
}

impl Size {
    pub fn bound(&self, name: &str) -> f64 {
        self.bounds.iter().find(|(other, _)| *other == name).unwrap().1
    }

    pub fn row(&self, name: &str) -> f64 {
        self.rows.iter().find(|(other, ..)| *other == name).unwrap().1
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().position(|arg| arg == "--sizes").map(|at| args[at + 1].clone());
    let sizes = given.unwrap_or_else(|| "1000,10000,100000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let measured: Vec<Size> = sizes.iter().map(|size| measure(*size)).collect();
    println!("{}", report::markdown(&measured));
    println!("{}", terraform::markdown(&[104, 1_000]));
}

fn measure(resources: usize) -> Size {
    let folder = tempfile::tempdir().unwrap();
    let customers = resources / SHAPE;
    let runs = if customers > 50_000 { 3 } else { 5 };
    eprintln!("{resources} resources: writing {customers} files");
    let shape = shape::Shape::write(folder.path(), customers);
    let mut size = Size { resources, ..Size::default() };
    rows::measure(&shape, runs, &mut size);
    watching::measure(&shape, if customers > 50_000 { 20 } else { 100 }, &mut size);
    bounds::measure(&shape, runs, &mut size);
    size
}

/// The median of some measurements, after one that does not count; one alone counts.
pub fn median(runs: usize, mut work: impl FnMut() -> f64) -> f64 {
    if runs > 1 {
        work();
    }
    let mut times: Vec<f64> = (0..runs).map(|_| work()).collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}
