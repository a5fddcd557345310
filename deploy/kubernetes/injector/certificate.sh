#!/bin/sh
# Gives the webhook a certificate where there is no cert-manager: makes an authority and a certificate, writes
# the Secret, and the authority's certificate into the webhook's configuration. Run it again before the
# certificate ends (--days, 365 by default); the pods take a new one without a restart. The authority's key is
# not kept, so each run makes another authority. The one before stays trusted beside it until the next run, as
# the pods show their old certificate for up to a minute and a half.
set -eu

days=365
[ "${1:-}" != --days ] || { days=${2:?--days needs a number}; shift 2; }
namespace=${1:-onceproxy-system}
name=${2:-onceproxy-injector}

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
cd "$files"
umask 077

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" \
  -subj "/CN=$name authority" -addext "keyUsage=critical,keyCertSign" -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name.$namespace.svc" \
  -keyout tls.key -out tls.csr 2>/dev/null
printf 'subjectAltName=DNS:%s.%s.svc\nextendedKeyUsage=serverAuth\n' "$name" "$namespace" >extensions
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" \
  -extfile extensions -out tls.crt 2>/dev/null

# The newest authority stands first, so the one before is the first of those that are there.
kubectl get mutatingwebhookconfiguration "$name" -o 'jsonpath={.webhooks[0].clientConfig.caBundle}' >trusted
openssl base64 -d -A -in trusted -out trusted.crt
openssl x509 -in trusted.crt -out before.crt 2>/dev/null || : >before.crt
bundle=$(cat ca.crt before.crt | openssl base64 -A)

# Trust comes first: if this is refused, the webhook goes on with the certificate that it has.
kubectl patch mutatingwebhookconfiguration "$name" --type json \
  -p "[{\"op\":\"add\",\"path\":\"/webhooks/0/clientConfig/caBundle\",\"value\":\"$bundle\"}]"
kubectl -n "$namespace" create secret tls "$name" --cert tls.crt --key tls.key \
  --dry-run=client -o yaml | kubectl apply -f -
echo "The certificate ends: $(openssl x509 -in tls.crt -noout -enddate | cut -d= -f2)." \
  "Run this again before; the alert OnceproxyCertificateEnds tells where the webhook is scraped."
