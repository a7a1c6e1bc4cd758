import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Reads cases from stdin and answers each with what the example says; there is no official library here. */
public final class Driver {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            byte[] body = Base64.getDecoder().decode(fields[6]);
            long nowS = System.currentTimeMillis() / 1000;
            boolean valid = Webhook.verify(fields[1], fields[3], fields[4], fields[5], body, nowS);
            System.out.println(fields[0] + "\t-\t" + (valid ? "ok" : "refused") + "\t-");
        }
    }
}
