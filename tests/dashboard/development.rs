//! The development installation's own account.

use landfall::domain::ids::Mode;
use landfall::staff::StaffError;
use secrecy::ExposeSecret;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_development_admin_signs_in_with_the_password_of_its_file() {
    let world = World::new().await;
    let data_dir = world.folder.path();
    let first = world.staff.ensure_development_admin(&[Mode::Test], data_dir).await.unwrap();
    let again = world.staff.ensure_development_admin(&[Mode::Test], data_dir).await.unwrap();
    assert_eq!(first.password.expose_secret(), again.password.expose_secret());
    assert_eq!(std::fs::read_to_string(&first.path).unwrap().trim(), first.password.expose_secret());
    let browser = world.browser();
    assert_eq!(browser.sign_in(&first.email, first.password.expose_secret()).await.status, 303);
    assert!(browser.get("/dashboard/test").await.body.contains("Development admin, admin"));

    // Without its file, it is given a new password, and who was signed in with the old one is out.
    std::fs::remove_file(&first.path).unwrap();
    let renewed = world.staff.ensure_development_admin(&[Mode::Test], data_dir).await.unwrap();
    assert_ne!(renewed.password.expose_secret(), first.password.expose_secret());
    assert_eq!(browser.get("/dashboard/test").await.status, 303);
    assert_eq!(browser.sign_in(&first.email, first.password.expose_secret()).await.status, 403);
    assert_eq!(browser.sign_in(&renewed.email, renewed.password.expose_secret()).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_mode_has_no_development_admin() {
    let world = World::new().await;
    let refused = world.staff.ensure_development_admin(&[Mode::Test, Mode::Live], world.folder.path()).await;
    assert!(matches!(refused, Err(StaffError::LiveMode)));
    assert_eq!(world.count("SELECT count(*) FROM staff").await, 1, "ada alone");
    assert!(!world.folder.path().join("keys/dashboard-admin.txt").exists());
}
