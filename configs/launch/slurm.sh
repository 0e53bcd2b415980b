#!/usr/bin/env bash
# A study on Slurm: one Ray node on each machine of the allocation, the search on the first.
#
#   sbatch configs/launch/slurm.sh study=paper data=freihand data.root=/shared/FreiHAND
#
# From the checkout, on a file system that all machines share. Out of time or preempted, the job is
# put back in the queue and resumes. Exclusive, because Ray stops all of a user's Ray processes on a
# machine in the end. Not yet run on a Slurm cluster. Partition and account are yours:
# sbatch --partition=... --account=...
#SBATCH --job-name=handssl
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --output=handssl-%j.log
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?run this with sbatch, from the checkout}"
# shellcheck disable=SC1091
source .venv/bin/activate

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# One token for this job's nodes: others on the machines cannot join or read the dashboard.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300

# Two minutes before the end: stop, and go back in the queue.
trap 'scontrol requeue "$SLURM_JOB_ID"' TERM

# Starts Ray on every machine, runs the command on the first one, and stops Ray in the end.
srun --kill-on-bad-exit=1 \
    ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats -- \
    python search/run_grid.py cluster=auto "$@" &
wait $!
