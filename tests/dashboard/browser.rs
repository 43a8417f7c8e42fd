//! As much of a browser as the tests need: it keeps cookies by name, follows nothing, and reads a page's form token.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

pub struct Browser {
    client: Client,
    url: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    /// As they came, attributes included.
    pub set_cookies: Vec<String>,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The token that a form on this page sends back.
    pub fn form_token(&self) -> String {
        let (_, rest) = self.body.split_once(r#"name="form_token" value=""#).expect("a form with a token");
        rest.split('"').next().unwrap().to_owned()
    }

    /// The address of the link to older lines, as a browser would read it.
    pub fn next(&self) -> Option<String> {
        let (_, rest) = self.body.split_once(r#"rel="next" href=""#)?;
        Some(rest.split('"').next().unwrap().replace("&amp;", "&"))
    }
}

impl Browser {
    pub fn new(url: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, url: url.to_owned(), cookies: Mutex::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.url));
        self.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.join("&"))).await
    }

    /// Opens the sign-in page and sends its form.
    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let token = self.get("/dashboard/sign-in").await.form_token();
        self.post("/dashboard/sign-in", &[("form_token", &token), ("email", email), ("password", password)]).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    async fn send(&self, request: RequestBuilder) -> Answer {
        let pairs: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if pairs.is_empty() { request } else { request.header(COOKIE, pairs.join("; ")) };
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        let set_cookies: Vec<String> =
            headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        self.remember(&set_cookies);
        Answer {
            status: response.status().as_u16(),
            location: headers.get("location").map(|value| value.to_str().unwrap().to_owned()),
            set_cookies,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    fn remember(&self, set_cookies: &[String]) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in set_cookies {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Percent-encodes everything but letters and digits.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
