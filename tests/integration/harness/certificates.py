"""Certificates for tests: an authority that issues them, and the files that the program reads."""

import datetime
import ipaddress
import os
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def general_name(text):
    """What an alternative name is, by its looks."""
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Issued:
    """A certificate, its key, and what issued it."""

    def __init__(self, certificate, key, issuer=None):
        self.certificate, self.key, self.issuer = certificate, key, issuer

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def chain(self):
        """With everything that leads to the root, the root left out."""
        above = self.issuer.chain if self.issuer and self.issuer.issuer else ""
        return self.pem + above

    @property
    def key_pem(self):
        return self.encoded_key(serialization.NoEncryption())

    def encoded_key(self, encryption):
        return self.key.private_bytes(serialization.Encoding.PEM,
                                      serialization.PrivateFormat.PKCS8, encryption).decode()

    @property
    def sha256(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def write(self, directory, stem):
        """Writes `stem`.crt and `stem`.key, each at once, and gives their paths."""
        directory = pathlib.Path(directory)
        directory.mkdir(exist_ok=True)
        paths = directory / f"{stem}.crt", directory / f"{stem}.key"
        for path, text in zip(paths, (self.chain, self.key_pem)):
            put(path, text)
        return tuple(map(str, paths))


def put(path, text):
    """The file says `text` from one moment to the next."""
    new = pathlib.Path(f"{path}.new")
    new.write_text(text)
    os.replace(new, path)


class Authority(Issued):
    """A root, or with `issuer` one below it."""

    def __init__(self, name="Test Root", issuer=None):
        made = issue(name, [], issuer, ca=True)
        super().__init__(made.certificate, made.key, issuer)

    def issue(self, name="service", names=("localhost", "127.0.0.1"), begins=-DAY, ends=30 * DAY, more=()):
        return issue(name, names, self, begins, ends, more=more)

    def write_ca(self, directory, stem="ca"):
        path = pathlib.Path(directory) / f"{stem}.crt"
        put(path, self.pem)
        return str(path)


def issue(name, names, issuer=None, begins=-DAY, ends=30 * DAY, ca=False, more=()):
    """`more`: further extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    above = issuer.certificate.subject if issuer else name_of(name)
    builder = (x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(above)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + begins).not_valid_after(now + ends)
               .add_extension(x509.BasicConstraints(ca, None), critical=True))
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([general_name(each) for each in names]), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signer = issuer.key if issuer else key
    return Issued(builder.sign(signer, hashes.SHA256()), key, issuer)


def client_context(authority=None, client=None, directory=None):
    """As a client of ours verifies: `authority` is trusted, `client` is shown."""
    context = ssl.create_default_context(cadata=authority.pem if authority else None)
    if client:
        context.load_cert_chain(*client.write(directory, "shown"))
    return context


def server_context(issued, directory, client_authority=None):
    """As an upstream speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued.write(directory, "upstream"))
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authority.pem)
    return context
