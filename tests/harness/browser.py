"""A headless Chromium, driven through WebDriver."""

import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from .wait import until

LATE = 60  # a slow machine's second core is somebody else's


class Browser:
    """One window of one browser."""

    def __init__(self, width=1400, height=950, dark=False):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        self.profile = tempfile.TemporaryDirectory(prefix="ch-browser-")
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-extensions", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync",
                     "--hide-scrollbars", "--force-device-scale-factor=1",
                     f"--window-size={width},{height}",
                     f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(LATE)
        self.driver.set_script_timeout(LATE)
        if dark:
            self.dark(True)

    def dark(self, on):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme",
                          "value": "dark" if on else "light"}]})

    def shrink(self, width, height):
        """The page as on a telephone, until grow()."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": False})

    def grow(self):
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def open(self, url):
        self.driver.get(url)

    def keys(self, *keys):
        """Typed into whatever has the focus, as a person does."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def js(self, text, *args):
        return self.driver.execute_script(text, *args)

    def text(self, selector):
        """What a person reads there; "" while it is not there."""
        return self.js(
            "const e = document.querySelector(arguments[0]);"
            "return e && e.checkVisibility() ? e.innerText : ''", selector)

    def rows(self, table):
        return self.js(
            "return [...document.querySelectorAll(arguments[0] + "
            "' tbody tr')].map((r) => [...r.cells].map((c) => c.innerText))",
            "#" + table)

    def focused(self):
        """Tag, id and text of what has the focus."""
        return self.js("const e = document.activeElement; return [e.tagName,"
                       " e.id, e.innerText || e.value || '']")

    def tab_to(self, text):
        """By the tab key alone to the button that begins with text."""
        for _ in range(60):
            tag, _, label = self.focused()
            if tag == "BUTTON" and label.startswith(text):
                return
            self.keys("\ue004")
        raise AssertionError(f"no button {text!r} is reached by Tab; "
                             f"focus: {self.focused()}")

    def wait(self, what, name):
        return until(what, LATE, name)

    def complaints(self):
        """Errors of the page: exceptions, refusals by its own policy."""
        return [e for e in self.driver.get_log("browser")
                if e["level"] == "SEVERE"]

    def picture(self, path):
        self.driver.save_screenshot(str(path))
