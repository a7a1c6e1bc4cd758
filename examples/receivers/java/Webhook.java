import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Tells whether a call is signed by Streamer (Standard Webhooks 1.0.0). Java 17 or later, no libraries. */
public final class Webhook {
    private static final long TOLERANCE_S = 300;
    /** What stands before the 32 bytes of an ed25519 public key in its DER form (RFC 8410). */
    private static final byte[] SPKI_ED25519 = HexFormat.of().parseHex("302a300506032b6570032100");

    private Webhook() {}

    /**
     * Returns true for a call that is signed with the key ("whsec_..." or "whpk_...") and no older than five minutes.
     *
     * @param id the header webhook-id, or null
     * @param timestamp the header webhook-timestamp, or null
     * @param signatures the header webhook-signature, or null
     * @param body what was received, byte by byte, before anything was parsed
     */
    public static boolean verify(String key, String id, String timestamp, String signatures, byte[] body, long nowS)
            throws GeneralSecurityException {
        if (id == null || id.isEmpty() || id.contains(".") || signatures == null || timestamp == null) return false;
        if (!timestamp.matches("[0-9]{1,15}") || Math.abs(nowS - Long.parseLong(timestamp)) > TOLERANCE_S) return false;
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        content.writeBytes((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        content.writeBytes(body);
        boolean isPublic = key.startsWith("whpk_");
        byte[] raw = Base64.getDecoder().decode(key.replaceFirst("^wh(sec|pk)_", ""));
        // During a change of keys there are several signatures, one space between them. Other kinds are none of ours.
        for (String entry : signatures.split(" ")) {
            String[] parts = entry.split(",", 2);
            if (parts.length < 2 || !parts[0].equals(isPublic ? "v1a" : "v1")) continue;
            byte[] given;
            try {
                given = Base64.getDecoder().decode(parts[1]);
            } catch (IllegalArgumentException malformed) {
                continue;
            }
            if (isPublic ? byPair(raw, content.toByteArray(), given) : bySecret(raw, content.toByteArray(), given)) {
                return true;
            }
        }
        return false;
    }

    private static boolean bySecret(byte[] key, byte[] content, byte[] given) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return MessageDigest.isEqual(mac.doFinal(content), given);
    }

    private static boolean byPair(byte[] key, byte[] content, byte[] given) throws GeneralSecurityException {
        byte[] der = new byte[SPKI_ED25519.length + key.length];
        System.arraycopy(SPKI_ED25519, 0, der, 0, SPKI_ED25519.length);
        System.arraycopy(key, 0, der, SPKI_ED25519.length, key.length);
        PublicKey publicKey = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der));
        Signature check = Signature.getInstance("Ed25519");
        check.initVerify(publicKey);
        check.update(content);
        try {
            return check.verify(given);
        } catch (java.security.SignatureException malformed) {
            return false;
        }
    }
}
