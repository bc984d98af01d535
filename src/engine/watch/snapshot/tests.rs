//! Snapshots of folders that move while they are looked at.

use super::{Looks, News};
use crate::engine::watch::state::Seen;
use std::fs;
use std::path::Path;

fn looks(folder: &Path) -> Looks {
    Looks::new(vec![folder.join("m")], vec![folder.join("partnerctl.yaml")], News::default())
}

#[test]
fn what_did_not_move_is_the_same_and_every_move_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("m")).unwrap();
    fs::write(path("m/a.yaml"), "1").unwrap();
    let mut looks = looks(folder.path());
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(1), Seen::Tree(1)));
    fs::write(path("m/.partnerctl"), "no manifest").unwrap();
    fs::write(path("m/notes.txt"), "no manifest").unwrap();
    assert_eq!(looks.look(), Seen::Tree(1));
    fs::write(path("m/b.yaml"), "1").unwrap();
    assert_eq!(looks.look(), Seen::Tree(2));
    fs::rename(path("m/b.yaml"), path("m/a.yaml")).unwrap();
    assert_eq!(looks.look(), Seen::Tree(3));
    fs::write(path("partnerctl.yaml"), "set: a").unwrap();
    assert_eq!(looks.look(), Seen::Tree(4));
    fs::remove_file(path("m/a.yaml")).unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(5), Seen::Tree(5)));
}

#[test]
fn a_change_that_leaves_the_stat_as_it_was_is_seen_while_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m")).unwrap();
    let file = folder.path().join("m/a.yaml");
    let mut looks = looks(folder.path());
    for round in 0..50 {
        fs::write(&file, format!("{}", round % 10)).unwrap();
        assert_eq!(looks.look(), Seen::Tree(round + 1));
    }
}

#[test]
fn a_tree_does_not_rest_while_git_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("tree/m")).unwrap();
    fs::create_dir_all(path("git")).unwrap();
    fs::write(path("tree/.git"), "gitdir: ../git\n").unwrap();
    let mut looks = looks(&path("tree"));
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(1), Seen::Tree(1)));
    fs::write(path("git/index.lock"), "").unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(2), Seen::Tree(3)));
    let long_ago = std::time::SystemTime::now() - 2 * super::GIT_LOCK_HOLDS;
    fs::File::open(path("git/index.lock")).unwrap().set_modified(long_ago).unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(3), Seen::Tree(3)), "left behind");
    fs::rename(path("git"), path("tree/m/.git")).unwrap();
    fs::write(path("tree/m/.git/index.lock"), "").unwrap();
    assert_eq!(looks.look(), Seen::Tree(4), "the root is the repository");
    fs::remove_file(path("tree/m/.git/index.lock")).unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(4), Seen::Tree(4)));
}

#[test]
fn a_root_that_is_missing_is_no_empty_tree() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("m");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.yaml"), "1").unwrap();
    let mut looks = looks(folder.path());
    assert_eq!(looks.look(), Seen::Tree(1));
    fs::rename(&root, folder.path().join("away")).unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Missing, Seen::Missing));
    fs::rename(folder.path().join("away"), &root).unwrap();
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(2), Seen::Tree(2)));
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let mut looks =
        super::Looks::new(vec![folder.path().join("link")], Vec::new(), News::default());
    assert_eq!(looks.look(), Seen::Missing);
}

#[test]
fn an_empty_folder_of_another_file_system_is_a_root_that_was_unmounted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("m");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.yaml"), "1").unwrap();
    let mut looks = looks(folder.path());
    assert_eq!(looks.look(), Seen::Tree(1));
    fs::remove_file(root.join("a.yaml")).unwrap();
    if let Some(last) = &mut looks.last {
        last.devices = vec![u64::MAX];
    }
    assert_eq!((looks.look(), looks.look()), (Seen::Missing, Seen::Missing));
    fs::write(root.join("a.yaml"), "2").unwrap();
    assert_eq!(looks.look(), Seen::Tree(2));
}

/// Eyes that a pass has seen a tree of two files with, and what they hear.
fn after_a_pass(folder: &Path) -> (Looks, News) {
    fs::create_dir_all(folder.join("m/deep")).unwrap();
    fs::write(folder.join("m/a.yaml"), "1").unwrap();
    fs::write(folder.join("m/deep/b.yaml"), "1").unwrap();
    let news = News::default();
    let mut looks = Looks::new(vec![folder.join("m")], Vec::new(), news.clone());
    news.listens(true);
    assert_eq!(looks.look(), Seen::Tree(1));
    looks.passed();
    (looks, news)
}

fn names(looks: &Looks) -> Option<Vec<String>> {
    let name = |found: crate::engine::tree::Found| {
        found.path.file_name().unwrap().to_string_lossy().into_owned()
    };
    looks.moved().map(|found| found.into_iter().map(name).collect())
}

#[test]
fn only_files_that_were_heard_of_are_looked_at_until_a_pass_saw_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut looks, news) = after_a_pass(folder.path());
    let file = folder.path().join("m/a.yaml");
    fs::write(&file, "2").unwrap();
    news.tell(Some(vec![file.clone(), folder.path().join("m/a.yaml.swp")]));
    assert_eq!((looks.look(), looks.look()), (Seen::Tree(2), Seen::Tree(2)));
    assert_eq!(names(&looks), Some(vec!["a.yaml".to_owned()]));
    fs::write(&file, "3").unwrap();
    assert_eq!(looks.look(), Seen::Tree(3), "it was heard of before");
    looks.passed();
    assert_eq!((looks.look(), names(&looks)), (Seen::Tree(3), Some(Vec::new())));
    fs::write(&file, "4").unwrap();
    assert_eq!(looks.look(), Seen::Tree(4), "it was changed so shortly before");
    assert_eq!(names(&looks), Some(vec!["a.yaml".to_owned()]), "before it was heard of");
    fs::write(&file, "5").unwrap();
    assert_eq!(looks.look_anew(), Seen::Tree(5), "all of it is looked at");
    assert_eq!(names(&looks), None);
}

#[test]
fn what_may_be_more_than_a_file_that_is_known_makes_all_be_looked_at() {
    type Act = fn(&Path);
    let moves: [(&str, Act); 7] = [
        ("m/new.yaml", |path| fs::write(path, "1").unwrap()),
        ("m/a.yaml", |path| fs::remove_file(path).unwrap()),
        ("m/deep", |path| fs::rename(path, path.with_extension("away")).unwrap()),
        ("m/deeper", |path| fs::create_dir(path).unwrap()),
        ("m/link", |path| std::os::unix::fs::symlink("deep", path).unwrap()),
        ("m/.partnerctlignore", |path| fs::write(path, "a.yaml").unwrap()),
        ("partnerctl.yaml", |path| fs::write(path, "set: a").unwrap()),
    ];
    for (name, act) in moves {
        let folder = tempfile::tempdir().unwrap();
        let (mut looks, news) = after_a_pass(folder.path());
        let path = folder.path().join(name);
        act(&path);
        news.tell(Some(vec![path]));
        let _seen = looks.look();
        assert_eq!(names(&looks), None, "{name}");
    }
}

#[test]
fn in_a_tree_with_links_all_is_looked_at_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut looks, news) = after_a_pass(folder.path());
    std::os::unix::fs::symlink("deep", folder.path().join("m/link")).unwrap();
    let _seen = looks.look_anew();
    looks.passed();
    news.tell(Some(vec![folder.path().join("m/a.yaml")]));
    let _seen = looks.look();
    assert_eq!(names(&looks), None);
}
