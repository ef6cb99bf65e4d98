"""S3 servers that know more than objects: locks, versions and uploads in parts."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from tests.store_servers import FaultyS3, S3Handler

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class _RichHandler(S3Handler):
    """Answers the questions about a bucket; `s3` is a `RichS3`."""

    s3: "RichS3"

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def answer_get(self) -> None:
        for name, answer in {
            "versioning": self.answer_versioning,
            "object-lock": self.answer_rule,
            "retention": self.answer_retention,
            "uploads": self.answer_uploads,
        }.items():
            if name in self.query:
                answer()
                return
        super().answer_get()

    def answer_put(self) -> None:
        mode = self.headers.get("x-amz-object-lock-mode")
        if mode and not self.s3.locks:
            self.refuse(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
            return
        if mode:
            self.s3.locked[self.key] = (mode, self.headers["x-amz-object-lock-retain-until-date"])
        super().answer_put()

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        extra = {"x_amz_version_id": "v1"} if self.command == "PUT" and self.s3.locks else {}
        super().send(status, body, **extra, **headers)

    def answer_delete(self) -> None:
        if "uploadId" in self.query:
            self.s3.uploads.pop(self.query["uploadId"], None)
            self.send(204)
        elif "versionId" in self.query and self.key in self.s3.locked and self.s3.locks_hold:
            self.refuse(403, "AccessDenied", "the object is locked")
        else:
            super().answer_delete()

    def answer_versioning(self) -> None:
        status = "<Status>Enabled</Status>" if self.s3.locks else ""
        self.answer_xml(f"<VersioningConfiguration {NAMESPACE}>{status}</VersioningConfiguration>")

    def answer_rule(self) -> None:
        if not self.s3.rule:
            self.refuse(404, "ObjectLockConfigurationNotFoundError")
            return
        rule = f"<Rule><DefaultRetention>{self.s3.rule}</DefaultRetention></Rule>"
        self.answer_xml(
            f"<ObjectLockConfiguration {NAMESPACE}><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}"
            "</ObjectLockConfiguration>"
        )

    def answer_retention(self) -> None:
        mode, until = self.s3.locked[self.key]
        self.answer_xml(
            f"<Retention {NAMESPACE}><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        )

    def answer_uploads(self) -> None:
        """One upload a page, whatever the prefix: the client must not rely on the server's filter."""
        left = [item for item in sorted(self.s3.uploads.items()) if item[0] > self.query.get("upload-id-marker", "")]
        items = "".join(
            f"<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{started:%Y-%m-%dT%H:%M:%S.000Z}</Initiated>"
            "</Upload>"
            for id, (key, started) in left[:1]
        )
        more = len(left) > 1
        marks = f"<NextKeyMarker>{left[0][1][0]}</NextKeyMarker><NextUploadIdMarker>{left[0][0]}</NextUploadIdMarker>"
        self.answer_xml(
            f"<ListMultipartUploadsResult {NAMESPACE}><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{marks if more else ''}{items}</ListMultipartUploadsResult>"
        )

    def answer_xml(self, text: str) -> None:
        self.send(200, text.encode(), Content_Type="application/xml")


class RichS3(FaultyS3):
    """`locks`: whether the bucket has object lock; `locks_hold`: whether they are kept; `rule`: its own retention."""

    def __init__(self, *, locks: bool = False, locks_hold: bool = True, rule: str = "") -> None:
        self.locks, self.locks_hold, self.rule = locks, locks_hold, rule
        self.locked: dict[str, tuple[str, str]] = {}
        self.uploads: dict[str, tuple[str, datetime]] = {}
        super().__init__(handler=_RichHandler)

    def start_upload(self, id: str, key: str, started: datetime) -> None:
        self.uploads[id] = (key, started.astimezone(UTC))
