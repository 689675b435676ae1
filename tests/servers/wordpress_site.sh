#!/bin/bash
# A real WordPress on loopback, for tests/servers/test_wordpress_server.py: `wordpress_site.sh start|stop`.
# Needs Debian's packages: wordpress mariadb-server php-cli php-mysql php-xml php-curl php-gd. Keeps all it has in
# build/wordpress; the database runs as the user MARIADB_USER (default: whoever calls; root has to name another).
set -euo pipefail
folder="$PWD/build/wordpress" port="${WORDPRESS_PORT:-18050}" db_port="${WORDPRESS_DB_PORT:-13306}"
user="${MARIADB_USER:-$(id -un)}" socket="$folder/db/s.sock" url="http://127.0.0.1:$port"
case "${1:-}" in
start)
  mkdir -p "$folder/db"
  if [ "$user" != "$(id -un)" ]; then chown -R "$user" "$folder/db"; fi
  if [ ! -d "$folder/db/mysql" ]; then
    mariadb-install-db --no-defaults --user="$user" --datadir="$folder/db" --auth-root-authentication-method=normal \
      --skip-test-db >/dev/null
  fi
  mariadbd --no-defaults --user="$user" --datadir="$folder/db" --socket="$socket" --port="$db_port" \
    --bind-address=127.0.0.1 --pid-file="$folder/db/pid" --skip-log-bin >"$folder/db.log" 2>&1 &
  for _ in $(seq 1 60); do
    mariadb-admin --no-defaults -S "$socket" -u root ping >/dev/null 2>&1 && break
    sleep 0.5
  done
  mariadb --no-defaults -S "$socket" -u root -e "create database if not exists wp;
    create user if not exists 'wp'@'127.0.0.1' identified by 'wp'; grant all on wp.* to 'wp'@'127.0.0.1'"
  if [ ! -d "$folder/site" ]; then
    cp -rL /usr/share/wordpress "$folder/site" 2>/dev/null || true
    rm -f "$folder/site/wp-config.php"
    cat >"$folder/site/wp-config.php" <<PHP
<?php
define('DB_NAME', 'wp'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp');
define('DB_HOST', '127.0.0.1:$db_port'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT',
  'LOGGED_IN_SALT', 'NONCE_SALT'] as \$k) define(\$k, 'x' . \$k);
\$table_prefix = 'wp_'; define('WP_ENVIRONMENT_TYPE', 'local'); define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HOME', '$url'); define('WP_SITEURL', '$url');
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/'); require_once ABSPATH . 'wp-settings.php';
PHP
    cat >"$folder/install.php" <<PHP
<?php
define('WP_INSTALLING', true); \$_SERVER['HTTP_HOST'] = '127.0.0.1:$port'; \$_SERVER['REQUEST_URI'] = '/';
require __DIR__ . '/site/wp-load.php'; require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Acme blog', 'admin', 'admin@example.org', true, '', 'admin-pass');
update_option('comment_moderation', 0); update_option('comment_previously_approved', 0);
list(\$pw) = WP_Application_Passwords::create_new_application_password(1, ['name' => 'connector']);
file_put_contents(__DIR__ . '/login', "admin:\$pw");
PHP
    php "$folder/install.php" 2>/dev/null
  fi
  PHP_CLI_SERVER_WORKERS=2 setsid php -S "127.0.0.1:$port" -t "$folder/site" >"$folder/php.log" 2>&1 &
  echo $! >"$folder/php.pid"
  echo "up at $url"
  ;;
stop)
  kill -- "-$(cat "$folder/php.pid")" || true  # the workers with it
  mariadb-admin --no-defaults -S "$socket" -u root shutdown
  ;;
*)
  echo "usage: $0 start|stop" >&2
  exit 2
  ;;
esac
