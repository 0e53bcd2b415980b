#!/bin/sh
# Everything that docs/study rests on, in the order in which it was run; each line resumes.
#
#   make study          or: sh docs/study/run.sh .venv/bin/python results
set -e
python=${1:-python} results=${2:-results}
grid() { "$python" search/run_grid.py results="$results" "$@"; }

grid study=evidence plan=true   # time of the longest part on this machine

# A learning rate and a temperature for each objective: a grid, its best with two seeds, what lies
# beyond and between.
grid study=rates
grid study=rates study.name=rates-seeds search.repeats=2 \
    'search.space={optimizer.base_lr: {choices: [1.5e-3, 5.0e-3]}, objective.temperature: {choices: [0.1, 0.2]}}'
grid study=rates study.name=rates-cold search.repeats=2 \
    'search.include=["contrastive T+CJ+S", "equivariant T+CJ+S+Ro"]' \
    'search.space={optimizer.base_lr: {choices: [1.5e-3]}, objective.temperature: {choices: [0.05]}}'
grid study=rates study.name=rates-between \
    'search.include=["relative T+S+Ro", "relative_released T+S+Ro"]' \
    'search.space={optimizer.base_lr: {choices: [2.7e-3, 8.7e-3]}}'

# Is the ranking of ten rows that of longer training; and, in the same number of steps, that of larger
# views, batches and encoders, or of half the images?
for epochs in 1 2 4 8; do
    grid study=curves study.name=curves-$epochs study.epochs=$epochs
done
grid study=curves study.name=curves-64px trial.pretrain.size_px=64
grid study=curves study.name=curves-batch128 study.epochs=4 trial.pretrain.batch_size=128
grid study=curves study.name=curves-half study.epochs=4 study.images=2700
grid study=curves study.name=curves-resnet10t trial.pretrain.encoder.name=timm:resnet10t

grid study=evidence
# The curves to eight epochs say that the order holds from four on: the grid again, at four.
grid study=evidence study.name=evidence-4 study.epochs=4 'search.rungs=[]' 'search.single_augmentations=[]' \
    '~search.objectives.equivariant' \
    'search.second_stage={top_k: 2, per_objective: true, seeds: 5, extra: []}'
grid study=mixed search=tpe
"$python" search/run_transfer.py results="$results" study=domains study.name=looks fidelity=evidence

"$python" -m analysis "$results/evidence" --compact docs/study
for name in rates rates-seeds rates-cold rates-between curves-1 curves-2 curves-4 curves-8 \
    curves-64px curves-batch128 curves-half curves-resnet10t evidence-4 mixed looks; do
    "$python" -m analysis "$results/$name" --compact docs/study/$name
done
"$python" -m analysis.fidelity docs/study/curves-* --out docs/study/analysis/tables
"$python" benchmarks/samplers.py docs/study
"$python" -m analysis docs/study docs/study/mixed docs/study/looks --out docs/study/analysis
"$python" -m analysis docs/study/evidence-4 --out docs/study/evidence-4/analysis
